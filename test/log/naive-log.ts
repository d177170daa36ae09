import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { unsignedEvent } from './support.ts'

/** The same as the log's indexes, without any index. */
export class NaiveLog {
  /** In log order; `null` stands for a local event. */
  readonly events: (VerifiedEvent | null)[] = []

  of(namespace: string): VerifiedEvent[] {
    return this.shared().filter((event) => event.envelope.namespace === namespace)
  }

  shared(): VerifiedEvent[] {
    return this.events.filter((event) => event !== null)
  }

  chain(author: string, namespace: string): VerifiedEvent[] {
    return this.of(namespace).filter(({ envelope }) => envelope.signer === unsignedEvent({ author }).envelope.signer)
  }

  tips(namespace: string): string[] {
    const followed = new Set(this.of(namespace).map(({ envelope }) => envelope.prev))
    return this.of(namespace)
      .map(({ id }) => id)
      .filter((id) => !followed.has(id))
      .sort()
  }

  logSeqOf(id: string): number {
    return this.events.findIndex((event) => event?.id === id) + 1
  }

  positionsAt(chain: string, authorSeq: number): number[] {
    return this.events.flatMap((event, index) =>
      event !== null && chainIdOf(event.envelope) === chain && event.envelope.authorSeq === authorSeq ? [index + 1] : []
    )
  }

  /** Goes back as long as the event is the first that follows the one before it. */
  branchOf(event: VerifiedEvent): number {
    const { prev } = event.envelope
    const first = this.shared().find(({ envelope }) => envelope.prev === prev)
    return prev === null || first !== event ? this.logSeqOf(event.id) : this.branchOf(this.byId(prev))
  }

  byId(id: string): VerifiedEvent {
    const event = this.shared().find((each) => each.id === id)
    if (event === undefined) throw new Error(`no event ${id}`)
    return event
  }

  /** The event and all its ancestors, the first of the chain first. */
  path(event: VerifiedEvent): VerifiedEvent[] {
    const path = [event]
    for (let { prev } = event.envelope; prev !== null;) {
      const before = this.byId(prev)
      path.unshift(before)
      prev = before.envelope.prev
    }
    return path
  }
}
