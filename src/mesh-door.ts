import { decodeEvent } from '../protocols/event/v1/codec.ts'
import type { AuthoredEvent } from './authoring/author.ts'
import type { Outcome } from './events/outcome.ts'
import type { IngestDoor } from './ingest/door.ts'
import type { EventSource } from './ingest/source.ts'
import type { GossipVerdict, Network } from './network/network.ts'
import type { Published } from './operations.ts'
import { messageOf } from './platform/errors.ts'
import type { Logger } from './platform/logger.ts'

/** The ingest door as the mesh sees it: gossip comes in by it, and what is new here goes out. */
export class MeshDoor {
  readonly #door: IngestDoor
  readonly #network: Network | undefined
  readonly #logger: Logger

  constructor(ports: { readonly door: IngestDoor; readonly network: Network | undefined; readonly logger: Logger }) {
    this.#door = ports.door
    this.#network = ports.network
    this.#logger = ports.logger
  }

  /**
   * The event is durable here; only now does it leave the node. A mesh that can't take it changes nothing of that: it
   * travels by sync.
   */
  async publish({ id, logSeq, namespace, wire }: AuthoredEvent): Promise<Published> {
    try {
      return { id, logSeq, recipients: (await this.#network?.publish(namespace, wire)) ?? 0 }
    } catch (error) {
      const fields = { id, namespace, reason: messageOf(error) }
      this.#logger.warn(fields, 'an event is in the log, but the mesh could not take it')
      return { id, logSeq, recipients: 0 }
    }
  }

  /** Takes in what did not come from the mesh, and passes on what is new. */
  async submit(wire: Uint8Array, source: EventSource): Promise<Outcome> {
    const outcome = await this.#door.submit(wire, source)
    if (outcome.outcome !== 'accepted') return outcome
    const decoded = decodeEvent(wire)
    if (decoded.ok) await this.publish({ ...outcome, namespace: decoded.event.envelope.namespace, wire })
    return outcome
  }

  /** What gossip is to do with an event of a peer; an accepted one may go on before it is written. */
  judge(namespace: string, wire: Uint8Array, peer: string): Promise<GossipVerdict> {
    return new Promise((resolve) => {
      this.#door
        .submit(wire, { via: 'gossip', peer, namespace }, () => resolve('accept'))
        .then(
          (outcome) => resolve(verdictOf(outcome)),
          (error: unknown) => {
            this.#logger.error({ reason: messageOf(error), peer }, 'an event could not be judged')
            resolve('ignore')
          }
        )
    })
  }
}

/** What gossip is told: a policy refusal is never `reject`, or honest peers would graylist each other. */
function verdictOf(outcome: Outcome): GossipVerdict {
  if (outcome.outcome === 'rejected') return 'reject'
  return outcome.outcome === 'accepted' || outcome.outcome === 'duplicate' ? 'accept' : 'ignore'
}
