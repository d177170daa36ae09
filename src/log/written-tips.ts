import type { VerifiedEvent } from '../events/verified.ts'
import { BoundedMap } from '../platform/bounded-map.ts'
import type { IndexWriter, Predecessor } from './event-index.ts'
import { decodePosition } from './event-index.ts'
import { idKey, tipKey } from './keys.ts'
import { WRITTEN_TIPS_MAX } from './limits.ts'
import type { StoreReader } from './store.ts'

/**
 * Tips that were written lately, with their branches: what nearly every new event follows. Of any other predecessor the
 * store says whether it is a tip. Holds only what is in the store, so a failed write changes nothing here.
 */
export class WrittenTips {
  readonly #branches = new BoundedMap<string, number>(WRITTEN_TIPS_MAX)

  /**
   * The predecessors of the events that are not `waiting` to be written themselves, by id. One that is missing is not
   * in the log.
   */
  async predecessorsOf(
    events: Iterable<VerifiedEvent>,
    waiting: (eventId: string) => boolean,
    store: StoreReader
  ): Promise<ReadonlyMap<string, Predecessor>> {
    const found = new Map<string, Predecessor>()
    const unknown = new Map<string, VerifiedEvent>()
    for (const event of events) {
      const { prev } = event.envelope
      if (prev === null || waiting(prev)) continue
      const branch = this.#branches.get(prev)
      if (branch === undefined) unknown.set(prev, event)
      else found.set(prev, { branch, isTip: true })
    }
    if (unknown.size > 0) await lookUp(unknown, store, found)
    return found
  }

  /** Notes what a group that is written now has made of the tips. */
  written(group: IndexWriter): void {
    for (const id of group.followed) this.#branches.delete(id)
    for (const [id, branch] of group.tips()) this.#branches.set(id, branch)
  }

  clear(): void {
    this.#branches.clear()
  }
}

/** `unknown`: by the id that is looked for, an event that follows it, which says in what namespace and chain. */
async function lookUp(
  unknown: ReadonlyMap<string, VerifiedEvent>,
  store: StoreReader,
  found: Map<string, Predecessor>
): Promise<void> {
  const ids = [...unknown.keys()]
  const tipKeys = [...unknown].map(([id, { envelope, chain }]) => tipKey(envelope.namespace, chain, id))
  const values = await store.getMany([...ids.map(idKey), ...tipKeys])
  for (const [index, id] of ids.entries()) {
    const position = values[index]
    if (position === undefined) continue
    found.set(id, { branch: decodePosition(position).branch, isTip: values[ids.length + index] !== undefined })
  }
}
