import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { hashOfPrinted, printedHash } from '../../../protocols/bitcoin-evidence/v1/hashes.ts'
import { branchOf } from '../../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import { carriesRoot, parseTransaction } from '../../../protocols/bitcoin-evidence/v1/transaction.ts'
import { fromHex, toBase64url } from '../../../protocols/primitives/bytes.ts'
import type { Anchorer, AnchorStep } from '../../anchoring/anchorer.ts'
import type { ProviderFailure } from '../provider.ts'
import { isBlockHash, isHeight } from './bitcoin-place.ts'
import {
  BitcoinRpc,
  RPC_INVALID_ADDRESS_OR_KEY,
  RPC_VERIFY_ALREADY_IN_UTXO_SET,
  RPC_VERIFY_ERROR,
  RPC_VERIFY_REJECTED
} from './bitcoin-rpc.ts'
import type { BitcoinCoreAddress, BitcoinSurroundings, RpcOutcome } from './bitcoin-rpc.ts'
import type { ProviderHealth } from '../verifier.ts'

// An hour: nobody waits for the anchor, and the fee for the very next block can be many times as high.
const CONFIRMATION_BLOCKS = 6
// Where the node can't tell yet: enough for some days on all but the busiest of days, and cents.
const FEE_RATE_FALLBACK = 10
// Satoshis per virtual byte. At the highest rates on record an anchor costs what a dinner does; estimates above that
// are errors.
const FEE_RATE_MAX = 1_000
const SATOSHIS_PER_VBYTE_OF_BTC_PER_KVBYTE = 100_000

// A draft holds the transaction as hex in at most 32 KiB. An anchor spends one coin and has 250 bytes; a wallet of dust
// that needs a hundred coins should be tidied up before.
const TRANSACTION_BYTES_MAX = 12 * 1024

// Blocks come every ten minutes; in regtest they come when somebody wants one.
const POLL_MS = 60_000
const POLL_REGTEST_MS = 1_000
// By these words (Bitcoin Core's `validation.cpp`) a rejected transaction spends what another one in the mempool spends.
const CONFLICT_PATTERN = /^txn-mempool-conflict|replacement|bad-txns-spends-conflicting-tx/

// What people have to mend: an empty or locked wallet, a node that is gone.
const MEND_MS = 60_000

/** A signed transaction: `rawTx` is hex. */
interface Draft {
  readonly rawTx: string
  readonly txid: string
}

type DraftReading = { readonly ok: true; readonly draft: Draft } | { readonly ok: false; readonly detail: string }

/**
 * Anchors roots by OP_RETURN transactions that a wallet of Bitcoin Core pays for. `prepare` has the wallet choose coins
 * and sign, but nothing is broadcast. The coins are locked in the node's memory, so that two drafts do not spend the
 * same ones; after a restart of the node they may, then the first that is broadcast wins and the other one fails.
 *
 * Codes of failed steps: those of providers; `WALLET_REFUSED` (no funds, locked, not loaded); `DRAFT_INVALID` (no draft
 * of this anchorer for this root); `TRANSACTION_CONFLICT` (its coins were spent otherwise); `TRANSACTION_REFUSED` (it was
 * never broadcast, and the node does not take it any more: its fee is too low now).
 */
export class BitcoinWalletAnchorer implements Anchorer {
  readonly rail = 'btc'
  readonly chainId: string
  readonly #rpc: BitcoinRpc
  readonly #pollMs: number

  constructor(wallet: BitcoinCoreAddress, surroundings: BitcoinSurroundings) {
    this.chainId = `btc:${surroundings.network}`
    this.#rpc = new BitcoinRpc(wallet, surroundings)
    this.#pollMs = surroundings.network === 'regtest' ? POLL_REGTEST_MS : POLL_MS
  }

  get health(): ProviderHealth {
    return this.#rpc.http.health
  }

  async prepare(batchRoot: string, signal: AbortSignal): Promise<AnchorStep> {
    const funded = await this.#fund(batchRoot, signal)
    if (typeof funded !== 'string') return funded
    const answer = await this.#rpc.batch(
      [
        ['decoderawtransaction', [funded]],
        ['signrawtransactionwithwallet', [funded]]
      ],
      signal
    )
    if (!answer.ok) return failedBy(answer)
    const [decoded, signed] = answer.value as [RpcOutcome, RpcOutcome]
    const inputs = outpointsOf(decoded)
    const rawTx = memberOf(signed, 'hex')
    if (!signed.ok || typeof rawTx !== 'string' || memberOf(signed, 'complete') !== true) {
      await this.#unlock(inputs, signal)
      return refused(`could not sign: ${signed.ok ? 'it does not have all the keys' : signed.message}`)
    }
    const draft = readDraft({ rawTx }, batchRoot)
    const problem = draft.ok ? await this.#mempoolProblem(draft.draft, signal) : draft.detail
    if (!draft.ok || problem !== null) {
      await this.#unlock(inputs, signal)
      return refused(`made a transaction that can't be used: ${problem}`)
    }
    return underWay(draft.draft, 'the transaction is signed and not broadcast yet', 0)
  }

  async advance(batchRoot: string, draft: JsonObject, signal: AbortSignal): Promise<AnchorStep> {
    const read = readDraft(draft, batchRoot)
    if (!read.ok) return { state: 'failed', code: 'DRAFT_INVALID', detail: read.detail, retryAfterMs: 0 }
    const answer = await this.#rpc.batch([['getblockchaininfo'], ['gettransaction', [read.draft.txid]]], signal)
    if (!answer.ok) return this.#later(read.draft, answer)
    const [info, known] = answer.value as [RpcOutcome, RpcOutcome]
    const otherChain = this.#rpc.chainFailure(info)
    if (otherChain !== null) return this.#later(read.draft, otherChain)
    if (!known.ok && known.code !== RPC_INVALID_ADDRESS_OR_KEY) {
      return underWay(read.draft, `the wallet answers: ${known.message}`, MEND_MS)
    }
    const confirmations = memberOf(known, 'confirmations') ?? 0
    const blockHash = memberOf(known, 'blockhash')
    if (isBlockHash(blockHash) && isHeight(confirmations) && confirmations > 0) {
      return await this.#complete(read.draft, blockHash, signal)
    }
    const replacement = memberOf(known, 'replaced_by_txid')
    if (isBlockHash(replacement)) {
      const replaced = await this.#replaced(replacement, batchRoot, signal)
      if (replaced !== null) return replaced
    }
    return await this.#broadcast(read.draft, known.ok, signal)
  }

  /** A transaction with the root and coins for its fee, hex; the coins are locked. */
  async #fund(batchRoot: string, signal: AbortSignal): Promise<string | AnchorStep> {
    const answer = await this.#rpc.batch(
      [
        ['getblockchaininfo'],
        ['createrawtransaction', [[], [{ data: batchRoot }]]],
        ['estimatesmartfee', [CONFIRMATION_BLOCKS]]
      ],
      signal
    )
    if (!answer.ok) return failedBy(answer)
    const [info, created, estimate] = answer.value as [RpcOutcome, RpcOutcome, RpcOutcome]
    const otherChain = this.#rpc.chainFailure(info)
    if (otherChain !== null) return failedBy(otherChain)
    if (!created.ok) return refused(`made no transaction: ${created.message}`)
    const options = { fee_rate: feeRateOf(estimate), lockUnspents: true }
    const funding = await this.#rpc.call(['fundrawtransaction', [created.result, options]], signal)
    if (!funding.ok) return failedBy(funding)
    if (!funding.value.ok) return refused(`could not pay for a transaction: ${funding.value.message}`)
    const funded = memberOf(funding.value, 'hex')
    return typeof funded === 'string' ? funded : refused('made no transaction')
  }

  /** Why the node would not take the transaction; null when it would. Nothing is broadcast. */
  async #mempoolProblem({ rawTx }: Draft, signal: AbortSignal): Promise<string | null> {
    const answer = await this.#rpc.call(['testmempoolaccept', [[rawTx]]], signal)
    if (!answer.ok) return answer.detail
    if (!answer.value.ok) return answer.value.message
    const [verdict] = Array.isArray(answer.value.result) ? (answer.value.result as readonly JsonValue[]) : []
    if (!isJsonObject(verdict)) return 'no verdict'
    const reason = verdict['reject-reason']
    return verdict['allowed'] === true ? null : typeof reason === 'string' ? reason : 'no reason'
  }

  /** `isKnown`: whether it was broadcast before, so that it may stand in a block yet, whatever this node thinks of it. */
  async #broadcast(draft: Draft, isKnown: boolean, signal: AbortSignal): Promise<AnchorStep> {
    const answer = await this.#rpc.call(['sendrawtransaction', [draft.rawTx]], signal)
    if (!answer.ok) return this.#later(draft, answer)
    const outcome = answer.value
    if (outcome.ok) return underWay(draft, 'the transaction is broadcast and waits for a block', this.#pollMs)
    const { code, message } = outcome
    // A block came in between.
    if (code === RPC_VERIFY_ALREADY_IN_UTXO_SET) return underWay(draft, 'the transaction is in a block', 0)
    if (code === RPC_VERIFY_ERROR || CONFLICT_PATTERN.test(message)) return await this.#conflict(draft, message, signal)
    // As a rule the fee is too low now. A second transaction could be paid for beside the first, once that passes.
    if (isKnown || code !== RPC_VERIFY_REJECTED) return underWay(draft, `not taken for now: ${message}`, MEND_MS)
    await this.#unlockInputs(draft, signal)
    return { state: 'failed', code: 'TRANSACTION_REFUSED', detail: message, retryAfterMs: 0 }
  }

  /** Somebody raised the fee by `bumpfee`, which keeps the output with the root: goes on with what replaced it. */
  async #replaced(txid: string, batchRoot: string, signal: AbortSignal): Promise<AnchorStep | null> {
    const answer = await this.#rpc.call(['gettransaction', [txid]], signal)
    const rawTx = answer.ok ? memberOf(answer.value, 'hex') : undefined
    const read = typeof rawTx === 'string' ? readDraft({ rawTx }, batchRoot) : null
    return read?.ok === true ? underWay(read.draft, 'the transaction was replaced by one with a higher fee', 0) : null
  }

  async #conflict(draft: Draft, reason: string, signal: AbortSignal): Promise<AnchorStep> {
    await this.#unlockInputs(draft, signal)
    const detail = `transaction ${draft.txid} is not taken: ${reason}`
    return { state: 'failed', code: 'TRANSACTION_CONFLICT', detail, retryAfterMs: 0 }
  }

  async #complete(draft: Draft, blockHash: string, signal: AbortSignal): Promise<AnchorStep> {
    const answer = await this.#rpc.call(['getblock', [blockHash, 1]], signal)
    if (!answer.ok) return this.#later(draft, answer)
    if (!answer.value.ok) return underWay(draft, `block ${blockHash}: ${answer.value.message}`, MEND_MS)
    const blockHeight = memberOf(answer.value, 'height')
    const txids = memberOf(answer.value, 'tx')
    const hashes = Array.isArray(txids) ? txids.map((txid) => hashOfPrinted(String(txid))) : []
    const txIndex = Array.isArray(txids) ? txids.indexOf(draft.txid) : -1
    if (!isHeight(blockHeight) || txIndex < 0 || !hashes.every((hash) => hash !== null)) {
      const malformed = this.#rpc.http.failure('PROVIDER_MALFORMED', `gave no list of transactions of ${blockHash}`)
      return this.#later(draft, malformed)
    }
    return {
      state: 'complete',
      timestampAnchor: {
        chainId: this.chainId,
        txid: draft.txid,
        blockHash,
        blockHeight,
        rawTx: toBase64url(fromHex(draft.rawTx) as Uint8Array),
        txIndex,
        merkleBranch: branchOf(hashes, txIndex).map(printedHash)
      }
    }
  }

  async #unlockInputs({ rawTx }: Draft, signal: AbortSignal): Promise<void> {
    const decoded = await this.#rpc.call(['decoderawtransaction', [rawTx]], signal)
    if (decoded.ok) await this.#unlock(outpointsOf(decoded.value), signal)
  }

  /** So that other transactions can spend them. A coin that is not locked, or spent, is refused and needs no unlock. */
  async #unlock(inputs: readonly JsonObject[], signal: AbortSignal): Promise<void> {
    for (const input of inputs) await this.#rpc.call(['lockunspent', [true, [input]]], signal)
  }

  /** The draft stays what it is while the node can't be asked. */
  #later(draft: Draft, failure: ProviderFailure): AnchorStep {
    return underWay(draft, failure.detail, Math.max(failure.retryAfterMs, this.#pollMs))
  }
}

/** Anchors roots through the wallet at `rails.btc.<network>.wallet`. */
export function createBitcoinWalletAnchorer(
  wallet: BitcoinCoreAddress,
  surroundings: BitcoinSurroundings
): BitcoinWalletAnchorer {
  return new BitcoinWalletAnchorer(wallet, surroundings)
}

/** Satoshis per virtual byte. */
function feeRateOf(estimate: RpcOutcome): number {
  const feeRate = memberOf(estimate, 'feerate')
  if (typeof feeRate !== 'number' || !(feeRate > 0)) return FEE_RATE_FALLBACK
  return Math.min(Math.ceil(feeRate * SATOSHIS_PER_VBYTE_OF_BTC_PER_KVBYTE), FEE_RATE_MAX)
}

/** What is spent, in the form that `lockunspent` takes. */
function outpointsOf(decoded: RpcOutcome): readonly JsonObject[] {
  const inputs = memberOf(decoded, 'vin')
  return Array.isArray(inputs)
    ? (inputs as readonly JsonValue[]).filter(isJsonObject).map(({ txid = null, vout = null }) => ({ txid, vout }))
    : []
}

function readDraft({ rawTx }: JsonObject, batchRoot: string): DraftReading {
  const bytes = typeof rawTx === 'string' ? fromHex(rawTx) : null
  const read = bytes === null ? null : parseTransaction(bytes)
  if (typeof rawTx !== 'string' || bytes === null || read?.ok !== true) return invalid('there is no transaction in it')
  if (bytes.length > TRANSACTION_BYTES_MAX) return invalid(`it has more than ${TRANSACTION_BYTES_MAX} bytes`)
  const root = fromHex(batchRoot)
  if (root === null || !carriesRoot(read.transaction, root)) return invalid('it does not carry the root')
  return { ok: true, draft: { rawTx, txid: read.transaction.txid } }
}

function invalid(detail: string): DraftReading {
  return { ok: false, detail }
}

function underWay({ rawTx, txid }: Draft, detail: string, retryAfterMs: number): AnchorStep {
  return { state: 'under-way', draft: { rawTx, txid }, detail, retryAfterMs }
}

function refused(detail: string): AnchorStep {
  return { state: 'failed', code: 'WALLET_REFUSED', detail: `the wallet ${detail}`, retryAfterMs: MEND_MS }
}

function failedBy({ code, detail, retryAfterMs }: ProviderFailure): AnchorStep {
  return { state: 'failed', code, detail, retryAfterMs: Math.max(retryAfterMs, MEND_MS) }
}

function memberOf(outcome: RpcOutcome, name: string): JsonValue | undefined {
  return outcome.ok && isJsonObject(outcome.result) ? outcome.result[name] : undefined
}
