import { addr, Transaction } from 'micro-eth-signer'
import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { fromHex } from '../../../protocols/primitives/bytes.ts'

/** What is offered to miners, in wei for each unit of gas. */
export type EvmFees =
  | { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }
  /** On chains from before EIP-1559. */
  | { readonly gasPrice: bigint }

/** A transaction that carries a root. Hex is lower case and without `0x`. */
export interface SignedTransaction {
  readonly rawTx: string
  readonly txHash: string
  readonly nonce: number
  /** Who pays: 40 hex digits. */
  readonly sender: string
  readonly to: string
  readonly gasLimit: bigint
  readonly fees: EvmFees
}

/** What an anchoring on an EVM chain goes on with. Times are milliseconds since 1970. */
export interface EvmDraft {
  /** All of one nonce, so that the chain takes one of them at most; each pays more than the one before. */
  readonly transactions: readonly [SignedTransaction, ...SignedTransaction[]]
  readonly preparedAt: number
  /** Since when the last of them waits for a block; `null` while none was sent. */
  readonly sentAt: number | null
}

export interface TransactionRequest {
  readonly chainId: bigint
  readonly nonce: number
  /** 40 hex digits. */
  readonly to: string
  /** The whole calldata. */
  readonly batchRoot: string
  readonly gasLimit: bigint
  readonly fees: EvmFees
}

/** Signs; the same request gives the same transaction (RFC 6979). */
export function signTransaction(request: TransactionRequest, privateKey: Uint8Array): SignedTransaction {
  const { chainId, nonce, to, batchRoot, gasLimit, fees } = request
  const common = { chainId, nonce: BigInt(nonce), to: `0x${to}`, value: 0n, data: `0x${batchRoot}`, gasLimit }
  // Not strict: its bounds are for what people type, and chains with other prices have other ones.
  const transaction =
    'gasPrice' in fees
      ? Transaction.prepare({ type: 'legacy', ...common, ...fees }, false).signBy(privateKey, false)
      : Transaction.prepare({ type: 'eip1559', ...common, ...fees, accessList: [] }, false).signBy(privateKey, false)
  return {
    rawTx: hexOf(transaction.toHex()),
    txHash: hexOf(transaction.hash),
    nonce,
    sender: addressOfKey(privateKey),
    to,
    gasLimit,
    fees
  }
}

/** The private key of a file: 64 hex digits, perhaps with `0x` before and a line break after; null for anything else. */
export function parsePrivateKey(text: string): Uint8Array | null {
  const privateKey = fromHex(hexOf(text.trim()))
  return privateKey !== null && addr.isValidPrivateKey(privateKey) ? privateKey : null
}

/** 40 lower-case hex digits. Throws for what is no private key of 32 bytes. */
export function addressOfKey(privateKey: Uint8Array): string {
  return hexOf(addr.fromPrivateKey(privateKey))
}

/** As it is logged. */
export function encodeDraft({ transactions, preparedAt, sentAt }: EvmDraft): JsonObject {
  const [{ nonce }] = transactions
  return {
    nonce,
    transactions: transactions.map(({ rawTx, txHash }) => ({ rawTx, txHash })),
    preparedAt,
    sentAt
  }
}

/** The draft that was logged; null unless it is one that carries the root on the chain. */
export function decodeDraft(draft: JsonObject, chainId: bigint, batchRoot: string): EvmDraft | null {
  const { nonce, transactions: list, preparedAt, sentAt } = draft
  if (!Array.isArray(list) || typeof preparedAt !== 'number') return null
  if (sentAt !== null && typeof sentAt !== 'number') return null
  const transactions = list.map((item: JsonValue) => decodeTransaction(item, chainId, batchRoot))
  const [first, ...others] = transactions.filter((transaction) => transaction !== null)
  if (first === undefined || others.length + 1 !== list.length) return null
  const isOneNonce = [first, ...others].every((transaction) => transaction.nonce === nonce)
  return isOneNonce ? { transactions: [first, ...others], preparedAt, sentAt: sentAt ?? null } : null
}

function decodeTransaction(value: JsonValue, chainId: bigint, batchRoot: string): SignedTransaction | null {
  if (!isJsonObject(value) || typeof value['rawTx'] !== 'string') return null
  const transaction = parsed(value['rawTx'])
  if (transaction === null || transaction.txHash !== value['txHash']) return null
  const { raw, txHash, sender } = transaction
  if (raw.chainId !== chainId || hexOf(raw.data) !== batchRoot) return null
  const fees =
    'gasPrice' in raw
      ? { gasPrice: raw.gasPrice }
      : { maxFeePerGas: raw.maxFeePerGas, maxPriorityFeePerGas: raw.maxPriorityFeePerGas }
  return {
    rawTx: value['rawTx'],
    txHash,
    nonce: Number(raw.nonce),
    sender,
    to: hexOf(raw.to),
    gasLimit: raw.gasLimit,
    fees
  }
}

function hexOf(text: string): string {
  return text.replace(/^0x/, '').toLowerCase()
}

interface Parsed {
  readonly raw: ReturnType<typeof Transaction.fromHex>['raw']
  readonly txHash: string
  readonly sender: string
}

/** Null for what is no signed transaction. */
function parsed(rawTx: string): Parsed | null {
  try {
    const transaction = Transaction.fromHex(rawTx)
    return { raw: transaction.raw, txHash: hexOf(transaction.hash), sender: hexOf(transaction.sender) }
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
