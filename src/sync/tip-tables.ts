import type { EventLog } from '../log/event-log.ts'
import type { LoggedRecord } from '../log/log-reader.ts'
import { LogReader } from '../log/log-reader.ts'
import type { Store } from '../log/store.ts'
import type { TipView } from './tip-table.ts'
import { TipTable } from './tip-table.ts'

/** The tips of a namespace, and the log position that they are of. */
export interface TipsAt {
  readonly tips: TipView
  readonly logSeq: number
}

interface Loaded {
  readonly table: TipTable
  /** What the table was loaded from holds everything up to here. */
  readonly loadedTo: number
}

interface Loading {
  /** What is appended while the tips are read. */
  readonly appended: LoggedRecord[]
  readonly loaded: Promise<Loaded>
}

/**
 * The tips of each namespace, read from the log's index when they are first asked for and kept up with it from then on.
 * Takes some 300 bytes a chain, whatever the number of events.
 */
export class TipTables {
  readonly #log: EventLog
  readonly #store: Store
  readonly #loading = new Map<string, Loading>()
  readonly #loaded = new Map<string, Loaded>()
  readonly #stop: () => void

  constructor(log: EventLog, store: Store) {
    this.#log = log
    this.#store = store
    this.#stop = log.onAppended((records) => this.#append(records))
  }

  /** The tips as they are now. */
  async view(namespace: string): Promise<TipsAt> {
    const { table, loadedTo } = this.#loaded.get(namespace) ?? (await this.#load(namespace))
    return { tips: table.view(), logSeq: Math.max(loadedTo, this.#log.head.logSeq) }
  }

  stop(): void {
    this.#stop()
  }

  async #load(namespace: string): Promise<Loaded> {
    const before = this.#loading.get(namespace)
    if (before !== undefined) return await before.loaded
    const appended: LoggedRecord[] = []
    const loading = { appended, loaded: this.#read(namespace, appended) }
    this.#loading.set(namespace, loading)
    try {
      return await loading.loaded
    } finally {
      this.#loading.delete(namespace)
    }
  }

  async #read(namespace: string, appended: readonly LoggedRecord[]): Promise<Loaded> {
    const table = new TipTable()
    const snapshot = await this.#store.snapshot()
    try {
      const reader = new LogReader(snapshot)
      const { logSeq: loadedTo } = await reader.readHead()
      for await (const { chain, id, authorSeq } of reader.tips(namespace)) table.load(chain, { id, authorSeq })
      const loaded = { table, loadedTo }
      for (const record of appended) take(record, namespace, loaded)
      this.#loaded.set(namespace, loaded)
      return loaded
    } finally {
      await snapshot.close()
    }
  }

  #append(records: readonly LoggedRecord[]): void {
    for (const record of records) {
      if (record.scope !== 'shared') continue
      const { namespace } = record.event.envelope
      const loaded = this.#loaded.get(namespace)
      if (loaded !== undefined) take(record, namespace, loaded)
      else this.#loading.get(namespace)?.appended.push(record)
    }
  }
}

function take(record: LoggedRecord, namespace: string, { table, loadedTo }: Loaded): void {
  if (record.scope !== 'shared' || record.record.logSeq <= loadedTo) return
  const { id, chain, envelope } = record.event
  if (envelope.namespace !== namespace) return
  table.append({ chain, id, prev: envelope.prev, authorSeq: envelope.authorSeq })
}
