import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { RequestObserver } from '../http/request-observer.ts'
import type { GossipRegister } from '../network/libp2p/gossip.ts'
import type { NodeStatus } from '../operations.ts'
import type { MetricDefinition } from './definitions.ts'
import { STATUS_METRICS } from './definitions.ts'
import { gossipRegister } from './gossip-register.ts'
import { METRIC_PREFIX } from './names.ts'

// What takes longer than `waitFor` may (5 s) is a stream, or stuck.
const DURATION_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2.5, 10]
const STATUS_CLASSES = ['2xx', '3xx', '4xx', '5xx'] as const

/** What a metric is. */
export interface MetricListed {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

/** A figure that a part keeps itself. */
export interface KeptFigure {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly read: () => number
}

/**
 * The metrics of one node, in a registry of their own: what its status says, what its listeners answered, what gossipsub
 * counts, and what the process takes. Every series of the node is there from the first exposition on.
 */
export class NodeMetrics {
  readonly #registry = new Registry()
  readonly #status: readonly { readonly definition: MetricDefinition; readonly metric: Counter | Gauge }[]
  readonly #kept: { readonly figure: KeptFigure; readonly metric: Counter | Gauge }[] = []
  /** For `createLibp2pNetwork`. */
  readonly gossip: GossipRegister
  /** For listeners. */
  readonly requests: RequestObserver
  #exposition: Promise<string> | null = null

  constructor(kept: readonly KeptFigure[] = []) {
    const registers = [this.#registry]
    this.#status = STATUS_METRICS.map((definition) => {
      const { type, help, labels } = definition
      const config = { name: METRIC_PREFIX + definition.name, help, labelNames: [...labels], registers }
      return { definition, metric: type === 'counter' ? new Counter(config) : new Gauge(config) }
    })
    this.gossip = gossipRegister(this.#registry)
    this.requests = observeRequests(this.#registry)
    for (const figure of kept) this.keep(figure)
    collectDefaultMetrics({ register: this.#registry, prefix: METRIC_PREFIX })
  }

  /** Shows a figure that a part of the node keeps, too. */
  keep(figure: KeptFigure): void {
    const { name, type, help } = figure
    const config = { name: METRIC_PREFIX + name, help, registers: [this.#registry] }
    this.#kept.push({ figure, metric: type === 'counter' ? new Counter(config) : new Gauge(config) })
  }

  /**
   * All of it in the text format of Prometheus (0.0.4). Those who ask while it is being put together get the same.
   */
  exposition(status: () => Promise<NodeStatus>): Promise<string> {
    this.#exposition ??= this.#collect(status).finally(() => (this.#exposition = null))
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

  async #collect(status: () => Promise<NodeStatus>): Promise<string> {
    const now = await status()
    for (const { definition, metric } of this.#status) {
      // Namespaces come and go with policy.
      metric.reset()
      for (const { labels, value } of definition.samples(now)) metric.inc({ ...labels }, value)
    }
    for (const { figure, metric } of this.#kept) {
      metric.reset()
      metric.inc(figure.read())
    }
    return await this.#registry.metrics()
  }
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
