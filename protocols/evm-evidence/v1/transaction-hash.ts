import { keccak_256 } from '@noble/hashes/sha3.js'
import { RLP } from 'micro-eth-signer/core/rlp.js'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { concat, toHex } from '../../primitives/bytes.ts'
import { bytesOfData, bytesOfQuantity } from './hex-values.ts'

/** What becomes of a transaction's fields: its hash (64 hex digits), or why there is none. */
export type TransactionHash =
  | { readonly ok: true; readonly hash: string }
  /** `type`: hashed in a way of its own (SPEC EE-4), which is no fault. `malformed`: a field breaks SPEC EE-3. */
  | { readonly ok: false; readonly why: 'type' | 'malformed'; readonly detail: string }

type RlpItem = Uint8Array | RlpItem[]
/** The item that a value stands for; null for a value of a wrong form. */
type Encode = (value: JsonValue | undefined) => RlpItem | null

const ADDRESS_BYTES = 20
const HASH_BYTES = 32
/** The widest integer that a transaction has: 256 bits. */
const INTEGER_BYTES_MAX = 32

const quantity: Encode = (value) => bytesOfQuantity(value, INTEGER_BYTES_MAX)
const signaturePart: Encode = (value) => bytesOfQuantity(value, INTEGER_BYTES_MAX, 'padded')
const data: Encode = (value) => bytesOfData(value)
const address: Encode = (value) => bytesOfData(value, ADDRESS_BYTES)
const hash: Encode = (value) => bytesOfData(value, HASH_BYTES)
const addressOrNone: Encode = (value) => (value === null ? new Uint8Array() : address(value))
const hashes = listOf(hash)
const accessList = listOf(objectOf({ address, storageKeys: hashes }))
const authorizationList = listOf(
  objectOf({ chainId: quantity, address, nonce: quantity, yParity: quantity, r: signaturePart, s: signaturePart })
)

const CALL = { gas: quantity, to: addressOrNone, value: quantity, input: data }
const SIGNATURE = { yParity: quantity, r: signaturePart, s: signaturePart }
const DYNAMIC_FEE = {
  chainId: quantity,
  nonce: quantity,
  maxPriorityFeePerGas: quantity,
  maxFeePerGas: quantity,
  ...CALL,
  accessList
}

/** SPEC EE-4. The order of the members is the order of the fields. */
const FIELDS_OF_TYPE: readonly Readonly<Record<string, Encode>>[] = [
  { nonce: quantity, gasPrice: quantity, ...CALL, v: quantity, r: signaturePart, s: signaturePart },
  { chainId: quantity, nonce: quantity, gasPrice: quantity, ...CALL, accessList, ...SIGNATURE },
  { ...DYNAMIC_FEE, ...SIGNATURE },
  { ...DYNAMIC_FEE, maxFeePerBlobGas: quantity, blobVersionedHashes: hashes, ...SIGNATURE },
  { ...DYNAMIC_FEE, authorizationList, ...SIGNATURE }
]

/** The hash of a transaction, from its fields as JSON-RPC shows them (SPEC EE-4). */
export function transactionHash(transaction: JsonObject): TransactionHash {
  // Nodes from before EIP-2718 name no type.
  const typeBytes = bytesOfQuantity(transaction['type'] ?? '0x0', 1)
  if (typeBytes === null) return { ok: false, why: 'malformed', detail: 'its type is no quantity of one byte' }
  const type = typeBytes[0] ?? 0
  const fields = FIELDS_OF_TYPE[type]
  if (fields === undefined)
    return { ok: false, why: 'type', detail: `transactions of type ${type} can't be recomputed` }
  const items: RlpItem[] = []
  for (const [name, encode] of Object.entries(fields)) {
    const value = transaction[name] ?? (name === 'yParity' ? transaction['v'] : transaction[name])
    const item = encode(value)
    if (item === null) return { ok: false, why: 'malformed', detail: `its ${name} has a wrong form` }
    items.push(item)
  }
  const rlp = RLP.encode(items)
  return { ok: true, hash: toHex(keccak_256(type === 0 ? rlp : concat(Uint8Array.of(type), rlp))) }
}

function listOf(encode: Encode): Encode {
  return (value) => (Array.isArray(value) ? allOrNone(value.map((item: JsonValue) => encode(item))) : null)
}

function objectOf(members: Readonly<Record<string, Encode>>): Encode {
  return (value) =>
    isJsonObject(value) ? allOrNone(Object.entries(members).map(([name, encode]) => encode(value[name]))) : null
}

function allOrNone(items: readonly (RlpItem | null)[]): RlpItem[] | null {
  return items.every((item) => item !== null) ? [...items] : null
}
