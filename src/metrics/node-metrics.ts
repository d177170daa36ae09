import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { RequestObserver } from '../http/request-observer.ts'
import type { GossipRegister } from '../network/libp2p/gossip.ts'
import { topicOf } from '../network/topic.ts'
import type { NodeStatus } from '../operations.ts'
import { COUNT_METRICS } from './count-definitions.ts'
import type { MetricDefinition } from './definition.ts'
import { STATUS_METRICS } from './definitions.ts'
import { gossipMetrics } from './gossip-register.ts'
import type { GossipMetrics } from './gossip-register.ts'
import { METRIC_PREFIX } from './names.ts'
import type { NodeCounts } from './node-counts.ts'

// What takes longer than `waitFor` may (5 s) is a stream, or stuck.
const DURATION_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2.5, 10]
/** Gauges of prom-client's that are named as counters are; each is the sum of another. */
const NO_COUNTERS = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']
const STATUS_CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const

/** What a metric is. */
export interface MetricListed {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

/** What metrics are read off: a node. */
export interface MetricsSource {
  status(): Promise<NodeStatus>
  counts(): Promise<NodeCounts>
}

/** A metric in the registry, and where its values come from. */
interface Shown<Source> {
  readonly definition: MetricDefinition<Source>
  readonly metric: Counter | Gauge
}

/**
 * The metrics of one node, in a registry of their own: what its status says and its parts count, what its listeners answered, what gossipsub
 * counts, and what the process takes. Every series of the node is there from the first exposition on.
 */
export class NodeMetrics {
  readonly #registry = new Registry()
  readonly #status: readonly Shown<NodeStatus>[]
  readonly #counts: readonly Shown<NodeCounts>[]
  readonly #kept: Shown<void>[] = []
  readonly #gossip: GossipMetrics
  /** For listeners. */
  readonly requests: RequestObserver
  #exposition: Promise<string> | null = null

  constructor() {
    this.#status = STATUS_METRICS.map((definition) => this.#shown(definition))
    this.#counts = COUNT_METRICS.map((definition) => this.#shown(definition))
    this.#gossip = gossipMetrics(this.#registry)
    this.requests = observeRequests(this.#registry)
    collectDefaultMetrics({ register: this.#registry, prefix: METRIC_PREFIX })
    for (const name of NO_COUNTERS) this.#registry.removeSingleMetric(METRIC_PREFIX + name)
  }

  /** For `createLibp2pNetwork`. */
  get gossip(): GossipRegister {
    return this.#gossip.register
  }

  /** Shows something that stands beside the node, too. */
  keep(definition: MetricDefinition<void>): void {
    this.#kept.push(this.#shown(definition))
  }

  /**
   * All of it in the text format of Prometheus (0.0.4). Those who ask while it is being put together get the same.
   */
  exposition(source: MetricsSource): Promise<string> {
    this.#exposition ??= this.#collect(source).finally(() => (this.#exposition = null))
    return this.#exposition
  }

  /** What metrics there are, without their values, sorted by name. */
  async list(): Promise<readonly MetricListed[]> {
    const found = (await this.#registry.getMetricsAsJSON()).map(({ name, help, type }) => {
      const metric = this.#registry.getSingleMetric(name)
      const labels: unknown = metric === undefined ? [] : Reflect.get(metric, 'labelNames')
      // Its types say a number, and it is a word.
      return { name, help, type: String(type), labels: Array.isArray(labels) ? labels.map(String) : [] }
    })
    return found.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async #collect(source: MetricsSource): Promise<string> {
    const [status, counts] = [await source.status(), await source.counts()]
    for (const shown of this.#status) renew(shown, status)
    for (const shown of this.#counts) renew(shown, counts)
    for (const shown of this.#kept) renew(shown, undefined)
    await this.#gossip.carry(status.namespaces.map(({ namespace }) => topicOf(namespace)))
    return await this.#registry.metrics()
  }

  #shown<Source>(definition: MetricDefinition<Source>): Shown<Source> {
    const { type, help, labels } = definition
    const config = { name: METRIC_PREFIX + definition.name, help, labelNames: [...labels], registers: [this.#registry] }
    return { definition, metric: type === 'counter' ? new Counter(config) : new Gauge(config) }
  }
}

function renew<Source>({ definition, metric }: Shown<Source>, source: Source): void {
  // Namespaces come and go with policy.
  metric.reset()
  for (const { labels, value } of definition.samples(source)) metric.inc({ ...labels }, value)
}

function observeRequests(registry: Registry): RequestObserver {
  const requests = new Counter({
    name: `${METRIC_PREFIX}http_requests_total`,
    help: 'HTTP requests that were answered, by the pattern of their route and the class of the status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry]
  })
  const durations = new Histogram({
    name: `${METRIC_PREFIX}http_request_duration_seconds`,
    help: 'From the header of a request to the end of its answer.',
    labelNames: ['method', 'route'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [registry]
  })
  const routeAdded = (method: string, route: string): void => {
    for (const status of STATUS_CLASSES) requests.inc({ method, route, status }, 0)
    durations.zero({ method, route })
  }
  // What no route was found for, and what was no request, has any method that somebody likes.
  routeAdded('any', 'unknown')
  return {
    routeAdded,
    answered({ method, route, status, seconds }) {
      const known = route === 'unknown' ? { method: 'any', route } : { method, route }
      requests.inc({ ...known, status: `${Math.floor(status / 100)}xx` })
      durations.observe(known, seconds)
    }
  }
}
