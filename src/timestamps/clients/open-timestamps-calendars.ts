import {
  attestationsOf,
  encodeOtsProof,
  parseOtsProof,
  parseOtsTimestamp
} from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsProof, OtsStep } from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { attestedBlocks } from '../../../protocols/bitcoin-evidence/v1/evidence.ts'
import { pendingAttestations, withUpgrade } from '../../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import type { PendingAttestation } from '../../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import { equalBytes, toHex } from '../../../protocols/primitives/bytes.ts'
import type { Clock } from '../../platform/clock.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import { ProviderHttp } from './provider-http.ts'
import type { ProviderHealth } from '../verifier.ts'
import type { HttpExchange } from './provider-http.ts'

/** What the reference client reads of an answer, bytes. */
const ANSWER_BYTES_MAX = 10_000

// A proof in the making is logged as base64url in at most 32 KiB of JSON. Three calendars make 3 KiB.
const PROOF_BYTES_MAX = 20_000

const MEDIA_TYPE = 'application/vnd.opentimestamps.v1'

/** A proof, and what went wrong with some of the calendars. */
export interface CalendarProof {
  readonly proof: OtsProof
  readonly failures: readonly ProviderFailure[]
}

/** What an upgrade of somebody's proof file came to. */
export type ProofUpgrade =
  | {
      readonly ok: true
      /** The file, with all that it held before. */
      readonly proof: Uint8Array
      /** Whether something was added. */
      readonly changed: boolean
      /** Heights of the Bitcoin blocks that it leads to; empty while it only holds promises. Not verified. */
      readonly blockHeights: readonly number[]
      /** The calendars of its promises that are not configured here, and so were not asked. */
      readonly notAsked: readonly string[]
      readonly failures: readonly ProviderFailure[]
    }
  | { readonly ok: false; readonly code: 'OTS_MALFORMED'; readonly detail: string }

/**
 * Calendars of OpenTimestamps: servers that take digests, get a hash over all that came into a Bitcoin transaction, and
 * hand out what leads from each digest to the block. Only the calendars of the configuration are ever asked, whatever
 * addresses stand in a proof: a stranger's proof must not make this node send requests where the stranger likes. So a
 * calendar has to be configured under the address that it names in its promises, and not under that of a pool.
 */
export class OpenTimestampsCalendars {
  readonly #calendars: ReadonlyMap<string, ProviderHttp>

  /** `urls` are `http:` or `https:`; user names and passwords in them are left out. */
  constructor(urls: readonly string[], clock: Clock) {
    this.#calendars = new Map(urls.map((url) => [addressOf(url), new ProviderHttp(new URL(url).host, clock, url)]))
  }

  get health(): readonly ProviderHealth[] {
    return [...this.#calendars.values()].map((http) => http.health)
  }

  /**
   * Has all calendars promise to stamp the digest (32 bytes): one proof with the promises of those that did, or what
   * failed. The reference client first appends a nonce to the digest of a file, so that a calendar can't tell who stamped
   * a file that it knows. A batch root gets none: it is announced to everybody, and tells nothing of the salted receipts.
   */
  async stamp(
    digest: Uint8Array<ArrayBuffer>,
    signal: AbortSignal
  ): Promise<CalendarProof | readonly ProviderFailure[]> {
    const answers = await Promise.all(
      [...this.#calendars].map(async ([address, http]) => {
        const answer = await this.#ask(http, { url: `${address}/digest`, method: 'POST', body: digest }, signal)
        return { http, answer: answer.ok ? this.#promise(http, digest, answer.value) : answer }
      })
    )
    let proof: OtsProof | null = null
    const failures: ProviderFailure[] = []
    for (const { http, answer } of answers) {
      const added: ProviderAnswer<OtsProof> = answer.ok ? merge(http, proof, digest, answer.value) : answer
      if (added.ok) proof = added.value
      else failures.push(added)
    }
    return proof === null ? failures : { proof, failures }
  }

  /** Asks for what became of the promises that lead to no block yet. */
  async upgrade(proof: OtsProof, signal: AbortSignal): Promise<CalendarProof> {
    const asked = this.openPromises(proof)
    const answers = await Promise.all(
      asked.map(async ({ address, http, commitment }) => {
        const url = `${address}/timestamp/${toHex(commitment)}`
        return { http, commitment, answer: await this.#ask(http, { url, method: 'GET' }, signal) }
      })
    )
    let upgraded = proof
    const failures: ProviderFailure[] = []
    for (const { http, commitment, answer } of answers) {
      if (answer.ok && answer.value === null) continue
      const added = answer.ok ? merge(http, upgraded, commitment, answer.value as Uint8Array) : answer
      if (added.ok) upgraded = added.value
      else failures.push(added)
    }
    return { proof: upgraded, failures }
  }

  /** As `upgrade`, for the bytes of a proof file, whoever made it. Rejects only when `signal` aborts. */
  async upgradeProof(bytes: Uint8Array, signal: AbortSignal): Promise<ProofUpgrade> {
    const read = parseOtsProof(bytes)
    if (!read.ok) return { ok: false, code: 'OTS_MALFORMED', detail: read.detail }
    const { proof, failures } = await this.upgrade(read.proof, signal)
    const upgraded = encodeOtsProof(proof)
    const foreign = pendingAttestations(proof).filter(({ uri }) => !this.#calendars.has(addressOf(uri)))
    return {
      ok: true,
      proof: upgraded,
      changed: !equalBytes(upgraded, encodeOtsProof(read.proof)),
      blockHeights: attestedBlocks(proof).map(({ blockHeight }) => blockHeight),
      notAsked: [...new Set(foreign.map(({ uri }) => uri))],
      failures
    }
  }

  /** The promises of configured calendars from which no way leads to a Bitcoin block yet. */
  openPromises(
    proof: OtsProof
  ): readonly { readonly address: string; readonly http: ProviderHttp; readonly commitment: Uint8Array }[] {
    const kept = messagesOnTheWay(proof)
    const asked = new Set<string>()
    return pendingAttestations(proof).flatMap(({ uri, commitment }: PendingAttestation) => {
      const address = addressOf(uri)
      const http = this.#calendars.get(address)
      const message = toHex(commitment)
      const question = `${address} ${message}`
      // A stranger's file may repeat a promise a thousand times.
      if (http === undefined || kept.has(message) || asked.has(question)) return []
      asked.add(question)
      return [{ address, http, commitment }]
    })
  }

  /** What a calendar answered to a digest, if a promise is in it that can be kept here. */
  #promise(http: ProviderHttp, digest: Uint8Array, answer: Uint8Array | null): ProviderAnswer<Uint8Array> {
    if (answer === null) return http.failure('PROVIDER_UNREACHABLE', 'takes no digests (HTTP status 404)')
    const read = parseOtsTimestamp(answer, digest)
    if (!read.ok) return http.failure('PROVIDER_MALFORMED', `gave no timestamp: ${read.detail}`)
    const promises = pendingAttestations({ hash: 'sha256', timestamp: read.timestamp })
    if (promises.some(({ uri }) => this.#calendars.has(addressOf(uri)))) return { ok: true, value: answer }
    const uri = promises[0]?.uri
    const what =
      uri === undefined ? 'promised nothing' : `promised at ${uri}, which is none of the configured calendars`
    return http.failure('PROVIDER_MALFORMED', what)
  }

  /** The body; null for status 404, by which a calendar says that it has nothing yet. */
  async #ask(
    http: ProviderHttp,
    request: HttpExchange,
    signal: AbortSignal
  ): Promise<ProviderAnswer<Uint8Array | null>> {
    const reply = await http.exchange({ ...request, headers: { accept: MEDIA_TYPE } }, signal)
    if (!reply.ok) return reply
    const { status, body } = reply.value
    if (status === 404) return { ok: true, value: null }
    if (status !== 200) return http.failure('PROVIDER_UNREACHABLE', `answered with HTTP status ${status}`)
    if (body.length > ANSWER_BYTES_MAX) {
      return http.failure('PROVIDER_MALFORMED', `answered with more than ${ANSWER_BYTES_MAX} bytes`)
    }
    return { ok: true, value: body }
  }
}

/** The proof with an answer about one of its messages; without a proof, one that begins at that message. */
function merge(
  http: ProviderHttp,
  proof: OtsProof | null,
  message: Uint8Array,
  answer: Uint8Array
): ProviderAnswer<OtsProof> {
  const read = proof === null ? parseOtsTimestamp(answer, message) : withUpgrade(proof, message, answer)
  if (!read.ok) return http.failure('PROVIDER_MALFORMED', `gave no timestamp: ${read.detail}`)
  const merged: OtsProof = 'proof' in read ? read.proof : { hash: 'sha256', timestamp: read.timestamp }
  if (encodeOtsProof(merged).length <= PROOF_BYTES_MAX) return { ok: true, value: merged }
  return http.failure('PROVIDER_MALFORMED', `makes the proof longer than ${PROOF_BYTES_MAX} bytes`)
}

/** The messages, in hex, from which a way leads on to a Bitcoin block. */
function messagesOnTheWay({ timestamp }: OtsProof): ReadonlySet<string> {
  const passed = new Set<OtsStep>()
  for (const { attestation, lastStep } of attestationsOf(timestamp)) {
    if (attestation.kind !== 'bitcoin') continue
    for (let step = lastStep; step !== null && !passed.has(step); step = step.previous) passed.add(step)
  }
  return new Set([...passed].map(({ message }) => toHex(message)))
}

/** An address in one form, so that two can be compared: without user name, query and slashes at the end. */
function addressOf(uri: string): string {
  if (!URL.canParse(uri)) return uri
  const { protocol, host, pathname } = new URL(uri)
  return `${protocol}//${host}${pathname}`.replace(/\/+$/, '')
}
