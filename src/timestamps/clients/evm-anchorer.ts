import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { numberOfQuantity } from '../../../protocols/evm-evidence/v1/hex-values.ts'
import { fromHex } from '../../../protocols/primitives/bytes.ts'
import type { Anchorer, AnchorStep } from '../../anchoring/anchorer.ts'
import type { Clock } from '../../platform/clock.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import { addressOfKey, decodeDraft, encodeDraft, signTransaction } from './evm-draft.ts'
import type { EvmDraft, EvmFees, SignedTransaction } from './evm-draft.ts'
import { FEE_CALLS, feesOf, integerOf, raisedFees } from './evm-fees.ts'
import { EvmJsonRpc } from './evm-json-rpc.ts'
import type { RpcCall, RpcOutcome } from './evm-json-rpc.ts'
import { NonceReservations } from './evm-nonces.ts'
import { readReceipt } from './evm-values.ts'

export interface EvmAnchorerOptions {
  /** `eip155:<chain id>`. */
  readonly chainId: string
  /** Nodes of the chain. The first that answers is believed, and transactions are sent to all. */
  readonly urls: readonly string[]
  /** Of the account that pays: 32 bytes. */
  readonly privateKey: Uint8Array
  /** A contract that takes the bare root as its calldata: 40 hex digits, with or without `0x`. By default the account itself. */
  readonly contract?: string
  readonly clock: Clock
}

// A block of the faster chains; who follows a slower one asks in vain a few times.
const NEXT_LOOK_MS = 2_000
// What is wrong with the account or the node, people have to put right.
const NEXT_TRY_MS = 60_000
// 15 blocks of Ethereum. With twice the base fee offered, it has to have doubled before a transaction waits as long.
const STUCK_MS = 180_000
// Each offers a quarter more: after eight of them six times as much. What waits then waits for something else.
const REPLACEMENTS_MAX = 8
// The draft before this one was broadcast long ago, if it ever is.
const GAP_MS = 5 * 60_000
// Two nodes of one provider are not further apart than this, nor are short forks longer.
const NONCE_GONE_DEPTH = 12

/**
 * Makes evidence on an EVM chain: a transaction whose calldata is the root. One nonce belongs to one root, whatever has to
 * be sent again, so the account pays once for it. Codes of failures: those of providers; `EVM_REFUSED` (the node would not
 * run it, or says no fees); `EVM_REVERTED`; `EVM_NONCE_GONE` (another transaction took the nonce), `EVM_NONCE_GAP` (the one
 * before it never came); `EVM_DRAFT` (no draft of this account's chain and root).
 */
export function createEvmAnchorer(options: EvmAnchorerOptions): Anchorer {
  return new EvmAnchorer(options)
}

class EvmAnchorer implements Anchorer {
  readonly rail = 'evm'
  readonly chainId: string
  readonly #chain: bigint
  readonly #nodes: readonly EvmJsonRpc[]
  readonly #privateKey: Uint8Array
  readonly #address: string
  readonly #to: string
  readonly #clock: Clock
  readonly #nonces: NonceReservations

  constructor({ chainId, urls, privateKey, contract, clock }: EvmAnchorerOptions) {
    this.chainId = chainId
    this.#chain = BigInt(chainId.slice('eip155:'.length))
    this.#nodes = urls.map((url) => new EvmJsonRpc(chainId, url, clock))
    this.#privateKey = privateKey
    this.#address = addressOfKey(privateKey)
    this.#to = (contract ?? this.#address).replace(/^0x/, '').toLowerCase()
    this.#clock = clock
    this.#nonces = new NonceReservations(clock)
  }

  async prepare(batchRoot: string, signal: AbortSignal): Promise<AnchorStep> {
    if (fromHex(batchRoot)?.length !== 32) throw new TypeError('a batch root is 64 hex digits')
    const call = { from: `0x${this.#address}`, to: `0x${this.#to}`, data: `0x${batchRoot}` }
    const asked = await this.#ask(
      [...FEE_CALLS, { method: 'eth_estimateGas', params: [call] }, countOf(this.#address, 'pending')],
      signal
    )
    if (!asked.ok) return failedBy(asked)
    const [block, priority, price, estimate, count] = asked.value
    const fees = feesOf([block, priority, price])
    const pending = numberOf(count)
    if (fees === null || pending === null) return refused('the node says neither fees nor the number of transactions')
    const gas = estimate.ok ? integerOf(estimate.result) : null
    if (gas === null) return refused(estimate.ok ? 'the node estimates no gas' : estimate.message)
    // From here to the end nothing waits, so that two drafts can't come to one nonce.
    const nonce = this.#nonces.take(pending, batchRoot)
    const request = { chainId: this.#chain, nonce, to: this.#to, batchRoot, fees }
    // What a contract does may have changed by the block that it gets into; gas that is not used is not paid.
    const transaction = signTransaction({ ...request, gasLimit: gas + gas / 5n }, this.#privateKey)
    const draft: EvmDraft = { transactions: [transaction], preparedAt: this.#clock.now(), sentAt: null }
    return underWay(draft, `signed transaction ${transaction.txHash}`, 0)
  }

  async advance(batchRoot: string, logged: JsonObject, signal: AbortSignal): Promise<AnchorStep> {
    const draft = decodeDraft(logged, this.#chain, batchRoot)
    if (draft === null) return failed('EVM_DRAFT', 'the draft holds no transaction with this root', NEXT_TRY_MS)
    const [{ nonce, sender }] = draft.transactions
    if (sender === this.#address) this.#nonces.keep(nonce, batchRoot)
    const newest = newestOf(draft)
    const asked = await this.#ask(
      [
        countOf(sender, 'latest'),
        countOf(sender, 'pending'),
        { method: 'eth_blockNumber', params: [] },
        { method: 'eth_getTransactionByHash', params: [`0x${newest.txHash}`] },
        // The last, so that what is counted above and is ours has its receipt here.
        ...draft.transactions.map(({ txHash }) => ({ method: 'eth_getTransactionReceipt', params: [`0x${txHash}`] }))
      ],
      signal
    )
    if (!asked.ok) return waiting(draft, asked)
    const [latest, pending, head, known, ...receipts] = asked.value
    const included = this.#included(draft, receipts)
    if (included !== null) return included
    const counts = { latest: numberOf(latest), pending: numberOf(pending), head: numberOf(head) }
    if (counts.latest === null || counts.pending === null || counts.head === null || !known.ok)
      return underWay(draft, 'the node does not tell about the account', NEXT_LOOK_MS)
    if (counts.latest > nonce) return await this.#nonceUsed(draft, counts.head, signal)
    if (known.result !== null) return await this.#inPool(draft, batchRoot, signal)
    if (counts.pending < nonce) return this.#gap(draft, counts.pending)
    return await this.#broadcast(draft, batchRoot, counts.pending > nonce, signal)
  }

  /** The step where one of the transactions is in a block; null where none is. */
  #included({ transactions }: EvmDraft, receipts: readonly RpcOutcome[]): AnchorStep | null {
    for (const [index, { txHash, to, sender }] of transactions.entries()) {
      const outcome = receipts[index]
      const receipt = outcome?.ok === true ? readReceipt(outcome.result, txHash) : null
      if (receipt?.ok !== true || receipt.value === null) continue
      if (!receipt.value.succeeded) return failed('EVM_REVERTED', `transaction ${txHash} was reverted`, NEXT_TRY_MS)
      const contract = to === sender ? {} : { contract: to }
      const { blockNumber } = receipt.value.place
      const timestampAnchor = {
        chainId: this.chainId,
        txHash,
        blockNumber,
        carriedIn: 'calldata',
        ...contract
      } as const
      return { state: 'complete', timestampAnchor }
    }
    return null
  }

  /** Other nodes may show the receipt in a moment; what is some blocks deep, and still not ours, never will be. */
  async #nonceUsed(draft: EvmDraft, head: number, signal: AbortSignal): Promise<AnchorStep> {
    const [{ nonce, sender }] = draft.transactions
    if (head >= NONCE_GONE_DEPTH) {
      const asked = await this.#ask([countOf(sender, `0x${(head - NONCE_GONE_DEPTH).toString(16)}`)], signal)
      if (!asked.ok) return waiting(draft, asked)
      const settled = numberOf(asked.value[0])
      if (settled !== null && settled > nonce)
        return failed('EVM_NONCE_GONE', `another transaction of the account took the nonce ${nonce}`, 0)
    }
    return underWay(draft, `the nonce ${nonce} is used; waiting to see by what`, NEXT_LOOK_MS)
  }

  async #inPool(draft: EvmDraft, batchRoot: string, signal: AbortSignal): Promise<AnchorStep> {
    const now = this.#clock.now()
    const sentAt = draft.sentAt ?? now
    if (now - sentAt < STUCK_MS) return underWay({ ...draft, sentAt }, 'waiting for a block', NEXT_LOOK_MS)
    return await this.#replace(draft, batchRoot, 'no block has taken it', signal)
  }

  /** A transaction before it is missing. It was not sent yet, so it may still be given up without paying twice. */
  #gap(draft: EvmDraft, pending: number): AnchorStep {
    const [{ nonce }] = draft.transactions
    const detail = `waiting for the account's transaction ${pending}, which comes before ${nonce}`
    if (draft.sentAt !== null || this.#clock.now() - draft.preparedAt < GAP_MS)
      return underWay(draft, detail, NEXT_LOOK_MS)
    this.#nonces.release(nonce)
    return failed('EVM_NONCE_GAP', detail, 0)
  }

  async #broadcast(draft: EvmDraft, batchRoot: string, isTaken: boolean, signal: AbortSignal): Promise<AnchorStep> {
    const newest = newestOf(draft)
    const call = { method: 'eth_sendRawTransaction', params: [`0x${newest.rawTx}`] }
    const answers = await Promise.all(this.#nodes.map((node) => node.ask([call], signal)))
    const outcomes = answers.flatMap((answer) => (answer.ok ? [answer.value[0]] : []))
    if (outcomes.some((outcome) => outcome.ok || isKnown(outcome.message)))
      return underWay({ ...draft, sentAt: this.#clock.now() }, `sent transaction ${newest.txHash}`, NEXT_LOOK_MS)
    // One that did not answer may have taken it all the same.
    const silent = answers.find((answer) => !answer.ok)
    if (silent !== undefined) return waiting({ ...draft, sentAt: this.#clock.now() }, silent)
    const messages = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.message]))
    const [message = ''] = messages
    // Who has the nonce in the pool is one of these transactions only if one of them was sent.
    const mayRaise = !isTaken || draft.sentAt !== null
    if (mayRaise && messages.some(isTooCheap)) return await this.#replace(draft, batchRoot, message, signal)
    return underWay(draft, `the node does not take the transaction: ${message}`, NEXT_TRY_MS)
  }

  /** Signs another transaction of the same nonce that offers more. It is sent once it is logged. */
  async #replace(draft: EvmDraft, batchRoot: string, reason: string, signal: AbortSignal): Promise<AnchorStep> {
    const { nonce, sender, to, gasLimit, fees: before } = newestOf(draft)
    const isOwn = sender === this.#address
    if (!isOwn || draft.transactions.length > REPLACEMENTS_MAX) return underWay(draft, reason, NEXT_TRY_MS)
    const asked = await this.#ask(FEE_CALLS, signal)
    if (!asked.ok) return waiting(draft, asked)
    const now: EvmFees = feesOf(asked.value) ?? before
    const request = { chainId: this.#chain, nonce, to, batchRoot, gasLimit, fees: raisedFees(before, now) }
    const transactions = [...draft.transactions, signTransaction(request, this.#privateKey)] as const
    const replaced: EvmDraft = { ...draft, transactions, sentAt: this.#clock.now() }
    return underWay(replaced, `raises the fee: ${reason}`, 0)
  }

  /** Of the first node that answers; else the failure of the first. */
  async #ask<const Calls extends readonly RpcCall[]>(
    calls: Calls,
    signal: AbortSignal
  ): Promise<ProviderAnswer<{ readonly [Index in keyof Calls]: RpcOutcome }>> {
    let failure: ProviderFailure | null = null
    for (const node of this.#nodes) {
      const answer = await node.ask(calls, signal)
      if (answer.ok) return answer
      failure ??= answer
    }
    return failure ?? { ok: false, code: 'PROVIDER_UNREACHABLE', detail: `no node of ${this.chainId}`, retryAfterMs: 0 }
  }
}

function newestOf({ transactions }: EvmDraft): SignedTransaction {
  return transactions.at(-1) ?? transactions[0]
}

function countOf(address: string, at: string): RpcCall {
  return { method: 'eth_getTransactionCount', params: [`0x${address}`, at] }
}

function numberOf(outcome: RpcOutcome): number | null {
  return outcome.ok ? numberOfQuantity(outcome.result) : null
}

// Nodes have no codes for these, only sentences: geth, Erigon, Nethermind, Besu, Reth and anvil.
const KNOWN = /already[ _]?(?:known|exists|imported)|known transaction/i
const TOO_CHEAP = /underpriced|fee ?too ?low|(?:fee|gas price) .*(?:too low|less than|below)/i
const isKnown = (message: string): boolean => KNOWN.test(message)
const isTooCheap = (message: string): boolean => TOO_CHEAP.test(message)

function underWay(draft: EvmDraft, detail: string, retryAfterMs: number): AnchorStep {
  return { state: 'under-way', draft: encodeDraft(draft), detail, retryAfterMs }
}

function waiting(draft: EvmDraft, { detail, retryAfterMs }: ProviderFailure): AnchorStep {
  return underWay(draft, detail, Math.max(NEXT_LOOK_MS, retryAfterMs))
}

function failed(code: string, detail: string, retryAfterMs: number): AnchorStep {
  return { state: 'failed', code, detail, retryAfterMs }
}

function failedBy({ code, detail, retryAfterMs }: ProviderFailure): AnchorStep {
  return failed(code, detail, Math.max(NEXT_LOOK_MS, retryAfterMs))
}

function refused(detail: string): AnchorStep {
  return failed('EVM_REFUSED', detail, NEXT_TRY_MS)
}
