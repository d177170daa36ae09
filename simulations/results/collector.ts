import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Simulation, Trace, TraceKind } from '../model/simulation.ts'
import { START_US } from '../world/virtual-time.ts'
import { MeshBook } from './mesh-book.ts'
import type { RunAbout, RunRecord } from './run-record.ts'
import { sumOf } from './traffic.ts'

export interface CollectorOptions {
  readonly about: RunAbout
  readonly time: { readonly nowUs: number }
  /** Where all records go on to. */
  readonly trace: Trace
}

/**
 * Stands before the trace of a run, takes down what passes, and looks at the nodes when it is told to: the record of
 * the run comes of it. It takes no virtual time, draws nothing and asks no node anything.
 */
export class RunCollector implements Trace {
  readonly #options: CollectorOptions
  #mesh: MeshBook | null = null

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** To be called once, before the first node boots. Writes the trace's first record. */
  begin(simulation: Simulation): void {
    const { about, trace } = this.#options
    this.#mesh = new MeshBook(simulation)
    trace.record('run', null, { v: 1, level: simulation.scenario.level, ...(about as unknown as JsonObject) })
  }

  record(kind: TraceKind, node: string | null, fields: JsonObject = {}): void {
    this.#options.trace.record(kind, node, fields)
    if (kind !== 'frame') this.#book().note(this.#nowUs(), kind, node, fields)
  }

  /** Looks at all nodes, and writes a record `sample`; a second look at one moment is none. */
  sample(): void {
    const sample = this.#book().sample(this.#nowUs())
    if (sample === null) return
    const sent = sumOf(sample.traffic.map(([, traffic]) => traffic))
    this.#options.trace.record('sample', null, {
      online: sample.online,
      whole: sample.whole,
      events: sample.events,
      bytesSent: sent.sentBytes,
      messagesSent: sent.sentMessages
    })
  }

  /** To be called once, when the run is over. */
  finish(): RunRecord {
    return this.#book().finish(this.#nowUs(), this.#options.about)
  }

  #nowUs(): number {
    return this.#options.time.nowUs - START_US
  }

  #book(): MeshBook {
    if (this.#mesh === null) throw new Error('the collector has not begun')
    return this.#mesh
  }
}
