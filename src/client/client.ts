import { z } from 'zod'
import { PROOF_BYTES_MAX } from '../../protocols/proof/v1/proof.ts'
import { NOTE_BYTES_MAX } from '../../protocols/checkpoint/v1/note.ts'
import * as answers from '../api/answers.ts'
import type { DigestAnswer, EventsPage, Health, LoggedEventAnswer, NodeDocument } from '../api/answers.ts'
import { logConsistency, logInclusion } from '../api/log-proofs.ts'
import { page } from '../api/pages.ts'
import type { PageOf } from '../api/pages.ts'
import { rowSchemas } from '../api/rows.ts'
import type { ProjectionName, RowOf } from '../api/rows.ts'
import type { Clock } from '../platform/clock.ts'
import { portableClock, portableRandom } from '../platform/portable.ts'
import type {
  ClientOptions,
  EventFilters,
  ReceiptPlace,
  ReceiptProofAnswer,
  RowFilters,
  SubscribeOptions,
  UpdateOf
} from './client-options.ts'
import { askChallenge, deliver } from './delivering.ts'
import type { AppSigner, Delivered, DeliveringPorts, DeliveryRequest, GivenToken } from './delivering.ts'
import { ClientError, malformedAnswer } from './errors.ts'
import { sseFrames } from './frame-streams.ts'
import { NodeHttp, jsonAnswer, parseAnswer, parseJson } from './node-http.ts'
import type { AnswerReading, CallOptions, Fetch, NodeRequest } from './node-http.ts'
import { requireFit, requireProgress } from './plausible.ts'
import { followProjection } from './subscription.ts'
import type { Update } from './subscription.ts'
import type { RowCheck } from './verify/rows.ts'
import type { CheckedLog } from './verify/log.ts'
import { Verifier, requireVerifier } from './verify/verifier.ts'
import type { VerifierQueries } from './verify/verifier.ts'
import { openWebSocket, webSocketFrames } from './web-socket-frames.ts'

const TIMEOUT_MS = 30_000
// Three keep-alives of 15 s that did not come.
const IDLE_MS = 45_000
// A page ends early where its rows or events have grown to a few MiB; a single row can be some more.
const PAGE_BYTES_MAX = 16 * 1024 * 1024
const SMALL_BYTES_MAX = 1024 * 1024
// A file in a string of JSON: at the worst every other character is escaped.
const PROOF_ANSWER_BYTES_MAX = 2 * PROOF_BYTES_MAX + SMALL_BYTES_MAX

const handedIn = z.object({ receiptHashes: z.array(z.string()).readonly(), queued: z.int() })
const ticketAnswer = z.object({ ticket: z.string().min(1), expiresAt: z.int() })

/** Makes a client of one node. Throws `URL_INVALID`, `TRUST_INVALID`. */
export function createClient(options: ClientOptions): Client {
  return new Client(options)
}

/**
 * Reads one node over HTTP, in a browser or in Node. Every call throws `ClientError`, whose `code` is the node's or one of
 * `ClientCode`, or the reason of the `signal` that it was given.
 */
export class Client {
  readonly #options: ClientOptions
  readonly #http: NodeHttp
  readonly #clock: Clock
  readonly #verifier: Verifier | null

  constructor(options: ClientOptions) {
    const { url, token, fetch: given, timeoutMs = TIMEOUT_MS, clock = portableClock, verify } = options
    this.#options = options
    this.#clock = clock
    const fetchOf: Fetch = given ?? ((address, init) => fetch(address, init))
    this.#http = new NodeHttp({ url, ...(token === undefined ? {} : { token }), fetch: fetchOf, clock, timeoutMs })
    this.#verifier = verify === undefined ? null : new Verifier(verify)
  }

  /** How the node is; one that is failing answers too, with its `reasons`. */
  async health(options?: CallOptions): Promise<Health> {
    const read = jsonAnswer(answers.health)
    return await this.#http.call({ path: 'health' }, { bytesMax: SMALL_BYTES_MAX, statuses: [503], read }, options)
  }

  /** Who the node is, and its keys: as it says itself. */
  async node(options?: CallOptions): Promise<NodeDocument> {
    return await this.#json({ path: 'v1/federation/node' }, answers.nodeDocument, options)
  }

  /**
   * One page of a projection. With `verify.rows` each row is checked as `verifyRow` does, and where one fails the page
   * is not shown.
   */
  async query<Name extends ProjectionName>(
    name: Name,
    filters: RowFilters = {},
    options?: CallOptions
  ): Promise<PageOf<RowOf<Name>>> {
    const { include, ...query } = filters
    const request = {
      path: `v1/projections/${requireKnown(name)}`,
      query: { ...query, ...(include === undefined ? {} : { include: include.join(',') }) }
    }
    const answer = await this.#json(request, page(name), options, PAGE_BYTES_MAX)
    requireFit(answer.rows, filters)
    if (this.#verifier?.checksRowsOf(name) === true)
      for (const row of answer.rows) await this.#verifier.row(name, row, this.#queries(options))
    return answer
  }

  /** All rows, page by page. They are of one state only with `at`. */
  async *rows<Name extends ProjectionName>(
    name: Name,
    filters: RowFilters = {},
    options?: CallOptions
  ): AsyncGenerator<RowOf<Name>, void> {
    let cursor = filters.cursor
    for (;;) {
      const { rows, nextCursor } = await this.query(name, { ...filters, cursor }, options)
      yield* rows
      if (nextCursor === null) return
      if (nextCursor === cursor) throw malformedAnswer('the next page is the same again')
      cursor = nextCursor
    }
  }

  /** The events of the node's log in its order. With `verify` each is checked. */
  async *events(filters: EventFilters = {}, options?: CallOptions): AsyncGenerator<LoggedEventAnswer, void> {
    let after = filters.after ?? 0
    for (;;) {
      const { events, next } = await this.#eventsPage({ ...filters, after }, options)
      for (const event of events) yield event
      if (next === null) return
      after = next
    }
  }

  /** The shared event with this id, or null. With `verify` it is checked. */
  async event(id: string, options?: CallOptions): Promise<LoggedEventAnswer | null> {
    const event = await this.#findEvent(id, options)
    if (event !== null && event.id !== id) throw malformedAnswer(`asked for the event ${id}, got ${event.id}`)
    if (event !== null) this.#verifier?.event(event)
    return event
  }

  /** What two nodes compare to know that they agree. */
  async digest(namespace: string, options?: CallOptions): Promise<DigestAnswer> {
    const digest = await this.#json({ path: 'v1/digest', query: { namespace } }, answers.digest, options)
    if (digest.namespace !== namespace) throw malformedAnswer(`the digest is of ${digest.namespace}`)
    return digest
  }

  /** All that proves one receipt, as a file for anybody. With `verify` it is checked: `report` says what holds. */
  async receiptProof({ leafHash, ...query }: ReceiptPlace, options: CallOptions = {}): Promise<ReceiptProofAnswer> {
    const request = { path: `v1/receipts/${encodeURIComponent(leafHash)}/proof`, query: { ...query } }
    const document = await this.#json(request, answers.receiptProofDocument, options, PROOF_ANSWER_BYTES_MAX)
    const report = (await this.#verifier?.proof(document.proof, options.signal ?? new AbortController().signal)) ?? null
    for (const shown of report === null ? [document] : [document, report]) {
      if (shown.leafHash !== leafHash) throw malformedAnswer(`asked for the receipt ${leafHash}, got ${shown.leafHash}`)
      requireFit([shown], query)
    }
    return { ...document, report }
  }

  /** Hands receipts (any I-JSON values) in for the next batch of a namespace; needs a token that may. */
  async handIn(
    request: { readonly namespace: string; readonly receipts: readonly unknown[] },
    options?: CallOptions
  ): Promise<z.output<typeof handedIn>> {
    const answer = await this.#json({ path: 'v1/receipts', body: request }, handedIn, options)
    if (answer.receiptHashes.length !== request.receipts.length)
      throw malformedAnswer(`${request.receipts.length} receipts handed in, ${answer.receiptHashes.length} answered`)
    return answer
  }

  /** A ticket for one that can send no token: an `EventSource`, a `WebSocket` of a browser. It lives for a minute. */
  async ticket(options?: CallOptions): Promise<z.output<typeof ticketAnswer>> {
    return await this.#json({ path: 'v1/tickets', method: 'POST' }, ticketAnswer, options)
  }

  /** A token for one delivery of the signer, for who delivers by other means. It lives for a minute. */
  async challenge(signer: AppSigner, options?: CallOptions): Promise<GivenToken> {
    return await askChallenge(signer, this.#delivering(options))
  }

  /**
   * Delivers a payload under a key that the node's operator registered, and checks the receipt: its signature, that it is
   * for this delivery, and that the node's log holds it. The key is the one that the node shows, or with `verify` one that
   * the app knows. Throws `VERIFICATION_FAILED` for a receipt that does not hold, `DELIVERY_INVALID`, and what the signer
   * throws. After `UNREACHABLE` and `TIMED_OUT` it may have been taken: who delivers again may deliver twice.
   */
  async deliver(request: DeliveryRequest, options?: CallOptions): Promise<Delivered> {
    return await deliver(request, this.#delivering(options))
  }

  /**
   * The updates of a projection, for as long as they are taken: first all rows, or what changed since the cursor; then
   * `caught-up`; then changes as they come. It connects again by itself. An update counts as handled when the next one is
   * asked for; only then its cursor is saved. With `verify.rows` each row is checked as `verifyRow` does before it is
   * shown, and one that fails ends the subscription. Ends only by an error, the `signal`, or `break`.
   */
  async *subscribe<Name extends ProjectionName>(
    name: Name,
    options: SubscribeOptions = {}
  ): AsyncGenerator<UpdateOf<Name>, never> {
    const { transport = 'sse', ...subscription } = options
    const row = rowSchemas[requireKnown(name)] as unknown as z.ZodType<RowOf<Name>>
    const store = options.cursorStore ?? this.#options.cursorStore?.(subscriptionName(name, options.namespace))
    const ports = {
      open: transport === 'sse' ? sseFrames(this.#http, IDLE_MS) : this.#webSocketFrames(),
      clock: this.#clock,
      random: this.#options.random ?? portableRandom
    }
    const updates = followProjection(
      { ...subscription, projection: name, ...(store === undefined ? {} : { cursorStore: store }) },
      ports
    )
    // By hand, so that the place of an update is reached only when the next one is asked for here.
    try {
      for (;;) {
        const update = typed((await updates.next()).value, row, options) as UpdateOf<Name>
        await this.#checkUpdate(name, update, options)
        yield update
      }
    } finally {
      await updates.return(undefined as never)
    }
  }

  /** Has `handle` take each update, one after the other; what it throws ends the subscription before the cursor moves. */
  async handle<Name extends ProjectionName>(
    name: Name,
    options: SubscribeOptions,
    handle: (update: UpdateOf<Name>) => Promise<void> | void
  ): Promise<never> {
    const updates = this.subscribe(name, options)
    try {
      for (;;) await handle((await updates.next()).value)
    } finally {
      await updates.return(undefined as never)
    }
  }

  /**
   * Holds a row against the signed events and proofs that it names. What a node concludes from them (`status`, `effect`,
   * which of two wins) is its own word, and so is what it leaves out. Throws `VERIFICATION_FAILED`.
   */
  async verifyRow<Name extends ProjectionName>(name: Name, row: RowOf<Name>, options?: CallOptions): Promise<RowCheck> {
    return await requireVerifier(this.#verifier).row(name, row, this.#queries(options))
  }

  /**
   * Checks that the node's log is signed and begins with what it was at the last look, and keeps the new state. Throws
   * `VERIFICATION_FAILED` for a log that was rewritten, rolled back, forked, or that began anew (`EPOCH_CHANGED`).
   */
  async verifyLog(options?: CallOptions): Promise<CheckedLog> {
    return await requireVerifier(this.#verifier).log(this.#queries(options))
  }

  /** Checks that the log, as its newest checkpoint has it, holds an event at the place that the node shows. */
  async verifyInLog(event: LoggedEventAnswer, options?: CallOptions): Promise<CheckedLog> {
    return await requireVerifier(this.#verifier).inLog(event, this.#queries(options))
  }

  async #checkUpdate<Name extends ProjectionName>(
    name: Name,
    update: UpdateOf<Name>,
    { signal }: SubscribeOptions
  ): Promise<void> {
    if (this.#verifier?.checksRowsOf(name) !== true) return
    if ((update.frame !== 'snapshot' && update.frame !== 'change') || update.row === null) return
    await this.#verifier.row(name, update.row, this.#queries(signal === undefined ? {} : { signal }))
  }

  async #eventsPage(filters: EventFilters & { readonly after: number }, options?: CallOptions): Promise<EventsPage> {
    const { scope = 'shared', after, limit: _limit, ...equal } = filters
    const request = { path: 'v1/events', query: { ...filters } }
    const answer = await this.#json(request, answers.eventsPage, options, PAGE_BYTES_MAX)
    requireProgress(answer, after)
    for (const event of answer.events) {
      if (scope !== 'all' && event.scope !== scope) throw malformedAnswer(`asked for ${scope} events, got another`)
      requireFit([event.event], equal)
      if (event.scope === 'shared') this.#verifier?.event(event)
    }
    return answer
  }

  async #findEvent(id: string, options?: CallOptions): Promise<LoggedEventAnswer | null> {
    try {
      return await this.#json({ path: `v1/events/${encodeURIComponent(id)}` }, answers.loggedEvent, options)
    } catch (error) {
      if (error instanceof ClientError && error.code === 'NOT_FOUND') return null
      throw error
    }
  }

  #queries(options?: CallOptions): VerifierQueries {
    return {
      event: async (id) => await this.#findEvent(id, options),
      checkpoint: async () =>
        await this.#http.call(
          { path: 'v1/log/checkpoint', accept: 'text/plain' },
          { bytesMax: NOTE_BYTES_MAX, read: (text) => text },
          options
        ),
      consistency: async (from, to) =>
        await this.#json({ path: 'v1/log/consistency', query: { from, to } }, logConsistency, options),
      inclusion: async (logSeq, size) =>
        await this.#json({ path: 'v1/log/inclusion', query: { logSeq, size } }, logInclusion, options)
    }
  }

  #delivering(options?: CallOptions): DeliveringPorts {
    const verifier = this.#verifier
    const queries = this.#queries(options)
    return {
      post: async (path, text, read) =>
        await this.#http.call({ path, text }, { bytesMax: SMALL_BYTES_MAX, read }, options),
      parse: (schema, text) => parseAnswer(schema, parseJson(text)),
      nodeDocument: async () => await this.node(options),
      inclusion: queries.inclusion,
      verifier,
      requireSameLog: async (note) => await verifier?.sameLog(note, queries),
      clock: this.#clock,
      random: this.#options.random ?? portableRandom
    }
  }

  #webSocketFrames() {
    const { webSocket = openWebSocket, timeoutMs = TIMEOUT_MS } = this.#options
    return webSocketFrames(this.#http, {
      open: webSocket,
      ticket: async (signal) => (this.#http.hasToken ? (await this.ticket({ signal })).ticket : null),
      idleMs: IDLE_MS,
      connectMs: timeoutMs
    })
  }

  async #json<Answer>(
    request: NodeRequest,
    schema: z.ZodType<Answer>,
    options?: CallOptions,
    bytesMax: number = SMALL_BYTES_MAX
  ): Promise<Answer> {
    const reading: AnswerReading<Answer> = { bytesMax, read: jsonAnswer(schema) }
    return await this.#http.call(request, reading, options)
  }
}

function typed<Row>(update: Update, row: z.ZodType<Row>, { namespace }: SubscribeOptions) {
  if ((update.frame !== 'snapshot' && update.frame !== 'change') || update.row === null) return update
  requireFit([update.row], { namespace })
  return { ...update, row: parseAnswer(row, update.row) }
}

function subscriptionName(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${name}!${namespace}`
}

/** Throws `UNKNOWN_PROJECTION` for one of which this release has no types. */
function requireKnown<Name extends ProjectionName>(name: Name): Name {
  if (Object.hasOwn(rowSchemas, name)) return name
  throw new ClientError('UNKNOWN_PROJECTION', `this client knows no projection ${name}`)
}
