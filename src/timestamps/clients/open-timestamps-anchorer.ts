import { attestedBlocks } from '../../../protocols/bitcoin-evidence/v1/evidence.ts'
import type { AttestedBlock } from '../../../protocols/bitcoin-evidence/v1/evidence.ts'
import { parseHeader } from '../../../protocols/bitcoin-evidence/v1/header.ts'
import { printedHash } from '../../../protocols/bitcoin-evidence/v1/hashes.ts'
import { encodeOtsProof, parseOtsProof } from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsProof } from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { fromBase64url, fromHex, toBase64url, toHex } from '../../../protocols/primitives/bytes.ts'
import type { Anchorer, AnchorStep } from '../../anchoring/anchorer.ts'
import type { Clock } from '../../platform/clock.ts'
import { askProviders } from '../ask-providers.ts'
import type { BitcoinProvider } from '../bitcoin/provider.ts'
import type { ProviderAnswer } from '../provider.ts'
import { OpenTimestampsCalendars } from './open-timestamps-calendars.ts'
import type { ProofUpgrade } from './open-timestamps-calendars.ts'
import type { ProviderHealth } from '../verifier.ts'

// Calendars make a transaction every few hours at the most, and hand the proof out six blocks later.
const POLL_MS = 10 * 60_000
const POLL_REGTEST_MS = 1_000
// Until a calendar is there again.
const MEND_MS = 60_000

// No block has it, so that a provider is only asked what stands at a height.
const NO_BLOCK = '0'.repeat(64)

export interface CalendarAnchorerOptions {
  /** As in `btc:<network>`. */
  readonly network: string
  /** `rails.btc.<network>.calendars`: the addresses that the calendars name in their promises. */
  readonly calendars: readonly string[]
  /** Who tells the hash of the block at a height. One answer that fits the proof is enough: the verifier asks again. */
  readonly providers: readonly BitcoinProvider[]
  readonly clock: Clock
}

/** Where the blocks that a proof leads to were found. */
interface Found {
  readonly block: (AttestedBlock & { readonly blockHash: string; readonly txid: string }) | null
  /** Whether another answer may still come: somebody could not be asked, or does not have the block yet. */
  readonly open: boolean
}

/**
 * Anchors roots by calendars of OpenTimestamps, which cost nothing and take hours. A draft is a proof with promises;
 * `advance` asks the calendars what became of them, until one leads to a block.
 *
 * Codes of failed steps: those of providers; `DRAFT_INVALID` (no draft of this anchorer for this root); `BTC_BRANCH`
 * (the proofs of all calendars lead through no transaction to a block); `CALENDARS_GONE` (no promise is of a calendar that is
 * configured now).
 */
export class OpenTimestampsAnchorer implements Anchorer {
  readonly rail = 'btc'
  readonly chainId: string
  readonly #calendars: OpenTimestampsCalendars
  readonly #providers: readonly BitcoinProvider[]
  readonly #pollMs: number

  constructor({ network, calendars, providers, clock }: CalendarAnchorerOptions) {
    this.chainId = `btc:${network}`
    this.#calendars = new OpenTimestampsCalendars(calendars, clock)
    this.#providers = providers
    this.#pollMs = network === 'regtest' ? POLL_REGTEST_MS : POLL_MS
  }

  get health(): readonly ProviderHealth[] {
    return this.#calendars.health
  }

  async prepare(batchRoot: string, signal: AbortSignal): Promise<AnchorStep> {
    const stamped = await this.#calendars.stamp(new Uint8Array(fromHex(batchRoot) as Uint8Array), signal)
    if ('proof' in stamped) return this.#underWay(stamped.proof, 'the calendars will make a transaction')
    const [first] = stamped
    return {
      state: 'failed',
      code: first?.code ?? 'PROVIDER_UNREACHABLE',
      detail: stamped.map(({ detail }) => detail).join('; ') || 'no calendar is configured',
      retryAfterMs: Math.max(MEND_MS, ...stamped.map(({ retryAfterMs }) => retryAfterMs))
    }
  }

  async advance(batchRoot: string, draft: JsonObject, signal: AbortSignal): Promise<AnchorStep> {
    const begun = readDraft(draft, batchRoot)
    if (begun === null) return failed('DRAFT_INVALID', 'there is no proof that begins at the root')
    const { proof, failures } = await this.#calendars.upgrade(begun, signal)
    const { block, open } = await this.#findBlock(attestedBlocks(proof), signal)
    if (block !== null) {
      const { txid, blockHash, blockHeight } = block
      const otsProof = toBase64url(encodeOtsProof(proof))
      return { state: 'complete', timestampAnchor: { chainId: this.chainId, txid, blockHash, blockHeight, otsProof } }
    }
    if (open) return this.#underWay(proof, 'the block is not known here yet')
    const promises = this.#calendars.openPromises(proof).length
    if (promises > 0) {
      const detail =
        failures.length > 0 ? failures.map((failure) => failure.detail).join('; ') : 'no block holds it yet'
      return this.#underWay(proof, `${promises} calendars have yet to deliver: ${detail}`)
    }
    return attestedBlocks(proof).length > 0
      ? failed('BTC_BRANCH', 'the proofs of the calendars lead through no transaction to a block that is there')
      : failed('CALENDARS_GONE', 'no calendar that is configured has promised anything')
  }

  /** Asks the configured calendars what became of the promises in a proof file, whoever made it. */
  upgradeProof(bytes: Uint8Array, signal: AbortSignal): Promise<ProofUpgrade> {
    return this.#calendars.upgradeProof(bytes, signal)
  }

  /** The earliest block whose Merkle root is the one that the proof leads to. */
  async #findBlock(blocks: readonly AttestedBlock[], signal: AbortSignal): Promise<Found> {
    let open = false
    for (const block of blocks.toSorted((left, right) => left.blockHeight - right.blockHeight)) {
      const { txid } = block
      // Without its transaction an announcement can't name it, so it is of no use.
      if (txid === null) continue
      const { answers, failures } = await askProviders(this.#providers, (provider) => blockAt(provider, block, signal))
      const found = answers.find(({ value }) => value?.merkleRoot === block.merkleRoot)?.value
      if (found !== undefined && found !== null) return { block: { ...block, txid, blockHash: found.hash }, open }
      open ||= failures.length > 0 || answers.some(({ value }) => value === null)
    }
    return { block: null, open }
  }

  #underWay(proof: OtsProof, detail: string): AnchorStep {
    const draft = { otsProof: toBase64url(encodeOtsProof(proof)) }
    return { state: 'under-way', draft, detail, retryAfterMs: this.#pollMs }
  }
}

/** Anchors roots through the calendars at `rails.btc.<network>.calendars`. */
export function createCalendarAnchorer(options: CalendarAnchorerOptions): OpenTimestampsAnchorer {
  return new OpenTimestampsAnchorer(options)
}

/** The block at the height in the provider's best chain; null above its tip. */
async function blockAt(
  provider: BitcoinProvider,
  { blockHeight }: AttestedBlock,
  signal: AbortSignal
): Promise<ProviderAnswer<{ readonly hash: string; readonly merkleRoot: string } | null>> {
  const there = await provider.place(NO_BLOCK, blockHeight, signal)
  if (!there.ok) return there
  const hash = there.value.hashAtHeight
  if (hash === null) return { ok: true, value: null }
  const place = await provider.place(hash, blockHeight, signal)
  if (!place.ok) return place
  const header = place.value.header === null ? null : parseHeader(place.value.header)
  // A provider that gives another header, or a chain that changed in between: to be asked again.
  if (header?.hash !== hash) return { ok: true, value: null }
  return { ok: true, value: { hash, merkleRoot: printedHash(header.merkleRoot) } }
}

function readDraft({ otsProof }: JsonObject, batchRoot: string): OtsProof | null {
  const bytes = typeof otsProof === 'string' ? fromBase64url(otsProof) : null
  const read = bytes === null ? null : parseOtsProof(bytes)
  if (read?.ok !== true || read.proof.hash !== 'sha256') return null
  return toHex(read.proof.timestamp.message) === batchRoot ? read.proof : null
}

function failed(code: string, detail: string): AnchorStep {
  return { state: 'failed', code, detail, retryAfterMs: MEND_MS }
}
