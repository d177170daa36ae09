import { createHash } from 'node:crypto'
import { sha256 } from './vector-file.ts'

/** Bytes of Bitcoin and of OpenTimestamps, put together by hand, so that vectors do not come from what they test. */

export const hash256 = (data: Uint8Array): Buffer => sha256(sha256(data))
export const reversed = (data: Uint8Array): Buffer => Buffer.from(data).reverse()
export const printed = (hash: Uint8Array): string => reversed(hash).toString('hex')

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

export function compactSize(value: number): Buffer {
  if (value < 0xfd) return Buffer.of(value)
  return value < 0x1_0000 ? Buffer.of(0xfd, value & 0xff, value >> 8) : Buffer.concat([Buffer.of(0xfe), uint32(value)])
}

const withLength = (data: Uint8Array): Buffer => Buffer.concat([compactSize(data.length), data])

export interface Output {
  readonly satoshis: bigint
  readonly script: Uint8Array
}

export interface TransactionParts {
  readonly scripts?: readonly Uint8Array[]
  readonly outputs: readonly Output[]
  /** One list of elements for each input. */
  readonly witness?: readonly (readonly Uint8Array[])[]
  readonly lockTime?: number
}

/** A transaction that spends outputs of nobody; its scripts are those of the inputs. */
export function transaction({ scripts = [Buffer.of()], outputs, witness, lockTime = 0 }: TransactionParts): Buffer {
  const inputs = scripts.map((script, index) =>
    Buffer.concat([sha256(`spent ${index}`), uint32(index), withLength(script), uint32(0xffff_fffd)])
  )
  return Buffer.concat([
    uint32(2),
    witness === undefined ? Buffer.of() : Buffer.of(0, 1),
    compactSize(inputs.length),
    ...inputs,
    compactSize(outputs.length),
    ...outputs.flatMap(({ satoshis, script }) => [uint64(satoshis), withLength(script)]),
    ...(witness ?? []).flatMap((items) => [compactSize(items.length), ...items.map(withLength)]),
    uint32(lockTime)
  ])
}

/** The script that carries a root. */
export const opReturn = (root: Uint8Array): Buffer => Buffer.concat([Buffer.of(0x6a, 0x20), root])

/** Pays to the hash of a label. */
export const payment = (label: string): Output => ({
  satoshis: 5_000n,
  script: Buffer.concat([Buffer.of(0, 20), sha256(label).subarray(0, 20)])
})

/** The Merkle root of a block, by the definition. */
export function blockRoot(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 1) return hashes[0] as Buffer
  const pairs = Array.from({ length: Math.ceil(hashes.length / 2) }, (_, pair) => {
    const left = hashes[pair * 2] as Buffer
    return hash256(Buffer.concat([left, hashes[pair * 2 + 1] ?? left]))
  })
  return blockRoot(pairs)
}

/** The siblings from the hash at `index` up. */
export function blockBranch(hashes: readonly Buffer[], index: number): Buffer[] {
  if (hashes.length === 1) return []
  const all = hashes.length % 2 === 0 ? hashes : [...hashes, hashes.at(-1) as Buffer]
  const above = Array.from({ length: all.length / 2 }, (_, pair) =>
    hash256(Buffer.concat(all.slice(pair * 2, pair * 2 + 2)))
  )
  return [all[index ^ 1] as Buffer, ...blockBranch(above, index >> 1)]
}

/** The compact form of the easiest target of the network `regtest`: every second header meets it. */
export const EASY_BITS = 0x207fffff
export const HEADER_TIME = 1_700_000_000

/** A header with the first nonce that meets the easiest target, or the first that does not. */
export function header(merkleRoot: Uint8Array, { bits = EASY_BITS, good = true } = {}): Buffer {
  const fields = [uint32(0x2000_0000), hash256(Buffer.from('the block before')), merkleRoot, uint32(HEADER_TIME)]
  for (let nonce = 0; ; nonce += 1) {
    const bytes = Buffer.concat([...fields, uint32(bits), uint32(nonce)])
    if ((hash256(bytes)[31] ?? 0) < 0x7f === good) return bytes
  }
}

const MAGIC = Buffer.from('004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294', 'hex')

/** A step of a proof: its bytes and what it makes of a message. */
export interface Step {
  readonly bytes: Buffer
  readonly apply: (message: Uint8Array) => Buffer
}

export function varuint(value: number): Buffer {
  return value < 128
    ? Buffer.of(value)
    : Buffer.concat([Buffer.of((value % 128) + 128), varuint(Math.floor(value / 128))])
}

const varbytes = (data: Uint8Array): Buffer => Buffer.concat([varuint(data.length), data])

export const append = (argument: Uint8Array): Step => ({
  bytes: Buffer.concat([Buffer.of(0xf0), varbytes(argument)]),
  apply: (message) => Buffer.concat([message, argument])
})
export const prepend = (argument: Uint8Array): Step => ({
  bytes: Buffer.concat([Buffer.of(0xf1), varbytes(argument)]),
  apply: (message) => Buffer.concat([argument, message])
})
export const REVERSE: Step = { bytes: Buffer.of(0xf2), apply: reversed }
export const HEXLIFY: Step = {
  bytes: Buffer.of(0xf3),
  apply: (message) => Buffer.from(Buffer.from(message).toString('hex'))
}
const hashed = (tag: number, name: string): Step => ({
  bytes: Buffer.of(tag),
  apply: (message) => createHash(name).update(message).digest()
})
export const SHA1 = hashed(0x02, 'sha1')
export const RIPEMD160 = hashed(0x03, 'ripemd160')
export const SHA256 = hashed(0x08, 'sha256')

const attestation = (tag: string, payload: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(0), Buffer.from(tag, 'hex'), varbytes(payload)])
export const inBitcoin = (height: number): Buffer => attestation('0588960d73d71901', varuint(height))
export const inLitecoin = (height: number): Buffer => attestation('06869a0d73d71b45', varuint(height))
export const pending = (uri: string): Buffer => attestation('83dfe30d2ef90c8e', varbytes(Buffer.from(uri)))
export const unknown = (tag: string, payload: Uint8Array): Buffer => attestation(tag, payload)

/** The branches of one message. */
export const fork = (...branches: readonly Buffer[]): Buffer =>
  Buffer.concat(
    branches.flatMap((branch, index) => (index < branches.length - 1 ? [Buffer.of(0xff), branch] : [branch]))
  )

/** Steps one after the other and what stands at their end. */
export const path = (steps: readonly Step[], end: Buffer): Buffer =>
  Buffer.concat([...steps.map(({ bytes }) => bytes), end])

export const resultOf = (steps: readonly Step[], message: Uint8Array): Buffer =>
  steps.reduce((current: Buffer, step) => step.apply(current), Buffer.from(message))

/** A whole proof file about a digest; the tag of its hash is that of SHA-256. */
export const proofFile = (digest: Uint8Array, timestamp: Buffer, hashTag = 0x08): Buffer =>
  Buffer.concat([MAGIC, Buffer.of(1, hashTag), digest, timestamp])
