import type { Registry } from 'prom-client'
import { Gauge, Histogram } from 'prom-client'
import type { GossipRegister } from '../network/libp2p/gossip.ts'
import { METRIC_PREFIX } from './names.ts'

type Labels = Record<string, string | number>
interface Config {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  readonly buckets?: readonly number[]
}

/** The summary of many values at one moment that gossipsub keeps of scores. */
const SUMMARIES = {
  avg: (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length),
  min: (values: readonly number[]) => (values.length === 0 ? 0 : Math.min(...values)),
  max: (values: readonly number[]) => (values.length === 0 ? 0 : Math.max(...values))
} as const

/** Puts gossipsub's metrics into the registry, under the prefix of all others. */
export function gossipRegister(registry: Registry): GossipRegister {
  const configOf = ({ name, help, labelNames = [] }: Config) => ({
    name: METRIC_PREFIX + name,
    help,
    labelNames: [...labelNames],
    registers: [registry]
  })
  const gauge = (config: Config) => {
    const collectors: ((metric: unknown) => void)[] = []
    const metric = new Gauge({
      ...configOf(config),
      collect() {
        for (const collect of collectors) collect(adapted)
      }
    })
    const adapted = {
      inc: (first?: Labels | number, second?: number) => increase(metric, first, second),
      set: (first: Labels | number, second?: number) =>
        typeof first === 'number' ? metric.set(first) : metric.set(first, second ?? 0),
      addCollect: (collect: (metric: unknown) => void) => void collectors.push(collect)
    }
    return adapted
  }
  const histogram = (config: Config) => {
    const { buckets } = config
    const metric = new Histogram({ ...configOf(config), ...(buckets === undefined ? {} : { buckets: [...buckets] }) })
    return {
      startTimer: () => metric.startTimer(),
      observe: (first: Labels | number, second?: number) =>
        typeof first === 'number' ? metric.observe(first) : metric.observe(first, second ?? 0),
      reset: () => metric.reset()
    }
  }
  const avgMinMax = (config: Config) => {
    const metrics = Object.entries(SUMMARIES).map(([kind, summary]) => ({
      metric: new Gauge(configOf({ ...config, name: `${config.name}_${kind}` })),
      summary
    }))
    return {
      set: (first: Labels | readonly number[], second: readonly number[] = []) => {
        for (const { metric, summary } of metrics) {
          if (isValues(first)) metric.set(summary(first))
          else metric.set(first, summary(second))
        }
      }
    }
  }
  // Its interface says by conditional types which calls have labels; here they are told apart at run time.
  return { gauge, histogram, avgMinMax } as unknown as GossipRegister
}

const isValues = (value: Labels | readonly number[]): value is readonly number[] => Array.isArray(value)

function increase(metric: Gauge, first?: Labels | number, second?: number): void {
  if (typeof first === 'object') metric.inc(first, second ?? 1)
  else metric.inc(first ?? 1)
}
