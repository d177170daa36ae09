import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import type { EvmLog } from '../../../protocols/evm-evidence/v1/evidence.ts'
import { bytesOfData, hexOfData, numberOfQuantity } from '../../../protocols/evm-evidence/v1/hex-values.ts'
import { transactionHash } from '../../../protocols/evm-evidence/v1/transaction-hash.ts'

/** What JSON-RPC shows of blocks, transactions and receipts, checked. Hex without `0x`, lower case. */
export interface RpcBlock {
  readonly hash: string
  readonly number: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly transactionHashes: readonly string[]
}

export interface RpcTransaction {
  /** `null` while it is in no block. */
  readonly place: Place | null
  readonly from: string
  readonly to: string | null
  readonly input: Uint8Array
  /** Whether the hash was computed again; types of rollups can't be. */
  readonly hashChecked: boolean
}

export interface RpcReceipt {
  readonly place: Place
  readonly from: string
  readonly to: string | null
  readonly succeeded: boolean
  readonly logs: readonly EvmLog[]
}

export interface Place {
  readonly blockHash: string
  readonly blockNumber: number
  readonly index: number
}

/** A checked value, or what is wrong with it in a few words. */
export type Read<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly problem: string }

const HASH_BYTES = 32
const ADDRESS_BYTES = 20
// An EVM has LOG0 to LOG4.
const TOPICS_MAX = 4

/** `eth_getBlockByNumber` with hashes only; `null` where there is no such block. */
export function readBlock(value: JsonValue): Read<RpcBlock | null> {
  if (value === null) return { ok: true, value }
  const wrong = wrongIn('a block')
  if (!isJsonObject(value)) return wrong('form')
  const hash = hexOfData(value['hash'], HASH_BYTES)
  const number = numberOfQuantity(value['number'])
  const seconds = numberOfQuantity(value['timestamp'])
  const transactionHashes = allOf(value['transactions'], (item) => hexOfData(item, HASH_BYTES))
  if (hash === null) return wrong('hash')
  if (number === null) return wrong('number')
  if (seconds === null || !Number.isSafeInteger(seconds * 1_000)) return wrong('timestamp')
  if (transactionHashes === null) return wrong('list of transaction hashes')
  return { ok: true, value: { hash, number, timestamp: seconds * 1_000, transactionHashes } }
}

/** `eth_getTransactionByHash`; `null` where it is not known. It hashes to `txHash` (SPEC EE-4). */
export function readTransaction(value: JsonValue, txHash: string, chainId: bigint): Read<RpcTransaction | null> {
  if (value === null) return { ok: true, value }
  const wrong = wrongIn('a transaction')
  if (!isJsonObject(value)) return wrong('form')
  const place = readPlace(value)
  const from = hexOfData(value['from'], ADDRESS_BYTES)
  const to = readTo(value)
  const input = bytesOfData(value['input'])
  if (hexOfData(value['hash'], HASH_BYTES) !== txHash) return wrong('hash')
  if (place === undefined) return wrong('place in a block')
  if (from === null) return wrong('from')
  if (to === undefined) return wrong('to')
  if (input === null) return wrong('input')
  const hashed = transactionHash(value)
  if (!hashed.ok && hashed.why === 'malformed') return { ok: false, problem: `a transaction: ${hashed.detail}` }
  if (hashed.ok && hashed.hash !== txHash) return { ok: false, problem: 'a transaction that does not hash to its hash' }
  // Only in legacy transactions may it be left out; of the others the hash has shown that it is a quantity.
  if (hashed.ok && (value['type'] ?? '0x0') !== '0x0' && BigInt(value['chainId'] as string) !== chainId)
    return { ok: false, problem: 'a transaction of another chain' }
  return { ok: true, value: { place, from, to, input, hashChecked: hashed.ok } }
}

/** `eth_getTransactionReceipt`; `null` where the transaction is in no block. */
export function readReceipt(value: JsonValue, txHash: string): Read<RpcReceipt | null> {
  if (value === null) return { ok: true, value }
  const wrong = wrongIn('a receipt')
  if (!isJsonObject(value)) return wrong('form')
  const place = readPlace(value)
  const from = hexOfData(value['from'], ADDRESS_BYTES)
  const to = readTo(value)
  const { status } = value
  if (hexOfData(value['transactionHash'], HASH_BYTES) !== txHash) return wrong('transaction hash')
  if (place === undefined || place === null) return wrong('place in a block')
  if (from === null) return wrong('from')
  if (to === undefined) return wrong('to')
  // Receipts from before EIP-658 have the root of the state in its place.
  const hasRoot = hexOfData(value['root'], HASH_BYTES) !== null
  if (!(status === '0x0' || status === '0x1' || (hasRoot && (status ?? null) === null))) return wrong('status')
  const logs = allOf(value['logs'], (log) => readLog(log, txHash, place))
  if (logs === null) return wrong('list of logs')
  return { ok: true, value: { place, from, to, succeeded: status === '0x1', logs } }
}

function readLog(value: JsonValue, txHash: string, { blockHash, blockNumber }: Place): EvmLog | null {
  if (!isJsonObject(value) || (value['removed'] ?? false) !== false) return null
  const address = hexOfData(value['address'], ADDRESS_BYTES)
  const topics = allOf(value['topics'], (topic) => hexOfData(topic, HASH_BYTES))
  const data = bytesOfData(value['data'])
  if (address === null || topics === null || topics.length > TOPICS_MAX || data === null) return null
  const isOfReceipt =
    hexOfData(value['transactionHash'], HASH_BYTES) === txHash &&
    hexOfData(value['blockHash'], HASH_BYTES) === blockHash &&
    numberOfQuantity(value['blockNumber']) === blockNumber
  return isOfReceipt ? { address, topics, data } : null
}

/** `null` for the place of a transaction that waits; undefined for a wrong form. */
function readPlace({ blockHash, blockNumber, transactionIndex }: JsonObject): Place | null | undefined {
  // Some show the block that they are about to make by its number already.
  if (blockHash === null) return null
  const hash = hexOfData(blockHash, HASH_BYTES)
  const number = numberOfQuantity(blockNumber)
  const index = numberOfQuantity(transactionIndex)
  return hash === null || number === null || index === null
    ? undefined
    : { blockHash: hash, blockNumber: number, index }
}

function readTo({ to }: JsonObject): string | null | undefined {
  return to === null ? null : (hexOfData(to, ADDRESS_BYTES) ?? undefined)
}

function allOf<Value>(list: JsonValue | undefined, read: (item: JsonValue) => Value | null): Value[] | null {
  if (!Array.isArray(list)) return null
  const values = list.map((item: JsonValue) => read(item))
  return values.every((value) => value !== null) ? values : null
}

function wrongIn(what: string): (member: string) => { readonly ok: false; readonly problem: string } {
  return (member) => ({ ok: false, problem: `${what} with a wrong ${member}` })
}
