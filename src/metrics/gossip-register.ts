import type { Registry } from 'prom-client'
import { Counter, Gauge, Histogram } from 'prom-client'
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

/** The values of those of its labels that have a closed set, so that their series can begin at 0. */
export const CLOSED_LABELS: Readonly<Record<string, readonly string[]>> = {
  hit: ['hit', 'miss'],
  on: ['forward', 'iwant'],
  penalty: ['graft_backoff', 'broken_promise', 'message_deficit', 'IP_colocation'],
  reason: ['low_score', 'max_ihave', 'max_iasked'],
  error: [
    'ignore',
    'reject',
    'blacklisted',
    'invalid_signature',
    'invalid_seqno',
    'invalid_peerid',
    'signature_present',
    'seqno_present',
    'from_present',
    'transform_failed'
  ],
  status: ['open', 'closing', 'closed'],
  threshold: ['graylist', 'publish', 'gossip', 'mesh']
}
/** Those whose values are topics. */
const TOPIC_LABELS: ReadonlySet<string> = new Set(['topic', 'topicStr'])

/** gossipsub's metrics, in the registry of all others. */
export interface GossipMetrics {
  /** For gossipsub, which fills it when it starts. */
  readonly register: GossipRegister
  /** Has every series of these topics be there. */
  carry(topics: readonly string[]): Promise<void>
}

/** Puts gossipsub's metrics into the registry, under the prefix of all others. */
export function gossipMetrics(registry: Registry): GossipMetrics {
  const byTopic: {
    readonly metric: Counter | Gauge | Histogram
    readonly label: string
    readonly begun: Set<string>
  }[] = []
  const begin = <Metric extends Counter | Gauge | Histogram>(metric: Metric, { labelNames = [] }: Config): Metric => {
    const [label, ...others] = labelNames
    if (label === undefined || others.length > 0) return metric
    if (TOPIC_LABELS.has(label)) byTopic.push({ metric, label, begun: new Set() })
    else if (!(metric instanceof Histogram))
      for (const value of CLOSED_LABELS[label] ?? []) metric.inc({ [label]: value }, 0)
    return metric
  }
  const configOf = ({ name, help, labelNames = [] }: Config) => ({
    name: METRIC_PREFIX + conventional(name),
    help,
    labelNames: [...labelNames],
    registers: [registry]
  })
  const counter = (config: Config) => {
    const metric = begin(new Counter(configOf(config)), config)
    return { inc: (first?: Labels | number, second?: number) => increase(metric, first, second) }
  }
  const gauge = (config: Config) => {
    // It has no counters, but names them as such, and only ever adds to those.
    if (config.name.endsWith('_total')) return counter(config)
    const collectors: ((metric: unknown) => void)[] = []
    const metric = begin(
      new Gauge({
        ...configOf(config),
        collect() {
          for (const collect of collectors) collect(adapted)
        }
      }),
      config
    )
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
    const bounds = buckets === undefined ? {} : { buckets: [...buckets] }
    const metric = begin(new Histogram({ ...configOf(config), ...bounds }), config)
    return {
      startTimer: () => metric.startTimer(),
      observe: (first: Labels | number, second?: number) =>
        typeof first === 'number' ? metric.observe(first) : metric.observe(first, second ?? 0),
      reset: () => metric.reset()
    }
  }
  const avgMinMax = (config: Config) => {
    const metrics = Object.entries(SUMMARIES).map(([kind, summary]) => ({
      metric: begin(new Gauge(configOf({ ...config, name: `${config.name}_${kind}` })), config),
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
  const register = { gauge, histogram, avgMinMax } as unknown as GossipRegister
  const carry = async (topics: readonly string[]): Promise<void> => {
    for (const { metric, label, begun } of byTopic) {
      for (const topic of topics) {
        if (begun.has(topic)) continue
        begun.add(topic)
        if (!(metric instanceof Histogram)) metric.inc({ [label]: topic }, 0)
        else if (!(await hasSeries(metric, label, topic))) metric.zero({ [label]: topic })
      }
    }
  }
  return { register, carry }
}

/** Some of its names are spelled otherwise than the others, and one does not say its unit. */
function conventional(name: string): string {
  return name.replace(/^gossisub_/, 'gossipsub_').replace(/_delay_from_first_seen$/, '$&_seconds')
}

/** `zero` would forget what was observed. */
async function hasSeries(metric: Histogram, label: string, value: string): Promise<boolean> {
  const { values } = await metric.get()
  return values.some(({ labels }) => (labels as Labels)[label] === value)
}

const isValues = (value: Labels | readonly number[]): value is readonly number[] => Array.isArray(value)

function increase(metric: Counter | Gauge, first?: Labels | number, second?: number): void {
  if (typeof first === 'object') metric.inc(first, second ?? 1)
  else metric.inc(first ?? 1)
}
