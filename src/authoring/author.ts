import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { canonicalEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { chainIdOf } from '../events/chain.ts'
import type { IngestDoor } from '../ingest/door.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { Signer } from '../trust/signer.ts'

/** An event of this node that is in its log. */
export interface AuthoredEvent {
  readonly id: string
  readonly logSeq: number
  readonly namespace: string
  readonly wire: Uint8Array
}

/** Keeps an author from signing on top of a chain of which others hold more. */
export interface SigningGate {
  /** Resolves when an event may be signed in the namespace. Throws `OWN_CHAIN_BEHIND`. */
  ready(namespace: string): Promise<void>
  /** An event with this id is about to be handed in. */
  signing(eventId: string): void
  /** It was handed in, whatever came of it. */
  signed(eventId: string): void
}

/** Another key that signs an event of this node: packs have such. */
export type Cosigner = Pick<Signer, 'kid' | 'sign'>

/** What may be written while everybody else waits (`Author.holding`). */
export interface Pen {
  /** The envelope that this node's next event would have. */
  envelope(type: string, namespace: string, body: JsonObject): Promise<Envelope>
  /** As `Author.author`, with the signatures of further keys. */
  write(type: string, namespace: string, body: JsonObject, cosigners: readonly Cosigner[]): Promise<AuthoredEvent>
  /** Hands in an event of this node that is whole already. Throws as `Author.author`. */
  handIn(event: { readonly id: string; readonly namespace: string; readonly wire: Uint8Array }): Promise<AuthoredEvent>
}

/** Where nobody else can hold more of the chain. */
const OPEN_GATE: SigningGate = { ready: () => Promise.resolve(), signing: () => {}, signed: () => {} }

/** Whether the packs of a signer's organisation say that no further event of the key counts (event/v1 EV-37). */
export type CutOffCheck = (key: Pick<Signer, 'did' | 'kid'>) => boolean

/** Signs this node's own events, each as the next of its chain, and hands them in at the door like everybody else's. */
export class Author {
  readonly #signer: () => Signer
  readonly #log: EventLog
  readonly #door: IngestDoor
  readonly #clock: Clock
  /** The end of the line for each namespace: two events of one chain are never signed at the same time. */
  readonly #lines = new Map<string, InTurn>()

  readonly #gate: SigningGate
  readonly #isCutOff: CutOffCheck
  /** One `holding` at a time. */
  readonly #holdings = new InTurn()
  /** Resolves when events may be signed again; `null` while they may. */
  #held: Promise<void> | null = null
  #writing = 0
  #written: () => void = () => {}

  constructor(ports: {
    signer: () => Signer
    log: EventLog
    door: IngestDoor
    clock: Clock
    gate?: SigningGate
    isCutOff?: CutOffCheck
  }) {
    this.#signer = ports.signer
    this.#log = ports.log
    this.#door = ports.door
    this.#clock = ports.clock
    this.#gate = ports.gate ?? OPEN_GATE
    this.#isCutOff = ports.isCutOff ?? (() => false)
  }

  /** Who signs now. */
  get signer(): Signer {
    return this.#signer()
  }

  /** Whether what this node signs now would have no effect, because of its key. Packs have rules of their own. */
  get isCutOff(): boolean {
    return this.#isCutOff(this.#signer())
  }

  /**
   * Signs and logs an event. Throws `PUBLISH_REFUSED` with the door's code when the door does not accept it, with
   * `KEY_CUT_OFF` for a key of which nothing more counts (anywhere but in `_trust`),
   * `STORE_FULL` for a full disk, `OWN_CHAIN_BEHIND` while peers hold more of the chain.
   */
  async author(type: string, namespace: string, body: JsonObject): Promise<AuthoredEvent> {
    return await this.#inLine(namespace, () => this.#authorNext(type, namespace, body))
  }

  /**
   * As `author`, of a body that is made once this node's own chain is whole here and nothing else of it is being signed;
   * `null` where there is nothing to say any more.
   */
  async authorDue(
    type: string,
    namespace: string,
    makeBody: () => Promise<JsonObject | null>
  ): Promise<AuthoredEvent | null> {
    return await this.#inLine(namespace, async () => {
      const body = await makeBody()
      return body === null ? null : await this.#authorNext(type, namespace, body)
    })
  }

  /**
   * Does work that must know all of this node's events: nothing is signed from before `work` begins until it ends, but
   * for what `work` writes itself, in `namespace`. `work` must not wait for other events of this node.
   */
  async holding<Result>(namespace: string, work: (pen: Pen) => Promise<Result>): Promise<Result> {
    return await this.#holdings.run(async () => {
      await this.#gate.ready(namespace)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#held = promise
      try {
        while (this.#writing > 0) await new Promise<void>((written) => (this.#written = written))
        return await work({
          envelope: (type, of, body) => this.#nextEnvelope(type, of, body, this.#signer()),
          write: (type, of, body, cosigners) => this.#authorNext(type, of, body, cosigners),
          handIn: (event) => this.#handIn(event)
        })
      } finally {
        this.#held = null
        resolve()
      }
    })
  }

  async #inLine<Authored>(namespace: string, write: () => Promise<Authored>): Promise<Authored> {
    const line = this.#lines.get(namespace) ?? new InTurn()
    this.#lines.set(namespace, line)
    return await line.run(async () => {
      await this.#gate.ready(namespace)
      while (this.#held !== null) {
        await this.#held
        // What was written meanwhile may have ended this key.
        await this.#gate.ready(namespace)
      }
      this.#writing += 1
      try {
        return await write()
      } finally {
        this.#writing -= 1
        this.#written()
      }
    })
  }

  async #authorNext(
    type: string,
    namespace: string,
    body: JsonObject,
    cosigners: readonly Cosigner[] = []
  ): Promise<AuthoredEvent> {
    // The same one for all of the event, whoever takes its place meanwhile.
    const own = this.#signer()
    if (namespace !== TRUST_NAMESPACE && this.#isCutOff(own)) throw cutOff(own)
    const envelope = await this.#nextEnvelope(type, namespace, body, own)
    const canonical = canonicalEvent(envelope)
    const signatures = await Promise.all(
      [own, ...cosigners].map(async (signer) => ({
        kid: signer.kid,
        signature: await signer.sign(eventSigningInput(type, signer.kid, canonical))
      }))
    )
    return await this.#handIn({ id: eventId(canonical), namespace, wire: encodeEvent(envelope, signatures) })
  }

  async #handIn(event: {
    readonly id: string
    readonly namespace: string
    readonly wire: Uint8Array
  }): Promise<AuthoredEvent> {
    const { id, namespace, wire } = event
    this.#gate.signing(id)
    const outcome = await this.#door.submit(wire, { via: 'own' }).finally(() => this.#gate.signed(id))
    if (outcome.outcome === 'accepted') return { id: outcome.id, logSeq: outcome.logSeq, namespace, wire }
    if (outcome.outcome === 'duplicate')
      throw new Error(`a new event of this node is already in its log: ${outcome.id}`)
    if (outcome.code === 'STORE_FULL')
      throw new AnchormeshError('STORE_FULL', outcome.detail, { hint: 'free disk space, then try again' })
    throw new AnchormeshError('PUBLISH_REFUSED', `the event was not accepted: ${outcome.code}: ${outcome.detail}`, {
      detail: { code: outcome.code }
    })
  }

  async #nextEnvelope(
    type: string,
    namespace: string,
    body: JsonObject,
    { did: signer, kid }: Signer
  ): Promise<Envelope> {
    // An event whose write seemed to fail may stand in the store: its position must not be signed a second time.
    await this.#log.recover()
    const chain = chainIdOf({ signer, kid, namespace })
    const tip = await this.#ownTip(namespace, chain)
    const now = this.#clock.now()
    if (tip === null) return { v: 1, type, namespace, signer, kid, authorSeq: 1, prev: null, ts: now, body }
    // A clock that was set back must not break the chain.
    return {
      v: 1,
      type,
      namespace,
      signer,
      kid,
      authorSeq: tip.authorSeq + 1,
      prev: tip.id,
      ts: Math.max(now, tip.ts),
      body
    }
  }

  async #ownTip(namespace: string, chain: string): Promise<{ authorSeq: number; id: string; ts: number } | null> {
    let best: { authorSeq: number; id: string; ts: number } | null = null
    for await (const { id, authorSeq } of this.#log.tips(namespace, chain)) {
      if (best !== null && authorSeq <= best.authorSeq) continue
      best = { authorSeq, id, ts: (await this.#log.find(id))?.ts ?? 0 }
    }
    return best
  }
}

function cutOff({ kid }: Signer): AnchormeshError {
  return new AnchormeshError(
    'PUBLISH_REFUSED',
    `not published: KEY_CUT_OFF: packs say that ${kid} signs no more events`,
    {
      detail: { code: 'KEY_CUT_OFF' },
      hint: 'have the node sign with a key that is ACTIVE with the use event: see `anchormesh keys list`'
    }
  )
}
