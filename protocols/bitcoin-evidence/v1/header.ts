import { hash256, printedHash } from './hashes.ts'

/** Length of a block header in bytes. */
export const HEADER_BYTES = 80

/** What a block header says. */
export interface BlockHeader {
  /** As Bitcoin's tools print it, 64 hex digits. */
  readonly hash: string
  /** As Bitcoin's tools print it. */
  readonly previousHash: string
  /** 32 bytes, not reversed. */
  readonly merkleRoot: Uint8Array
  /** Seconds since 1970. */
  readonly time: number
  /** The compact form of the target. */
  readonly bits: number
}

/** The easiest target of each network (`powLimit` in Bitcoin Core's `kernel/chainparams.cpp`). */
const EASIEST_TARGETS: ReadonlyMap<string, bigint> = new Map([
  ['mainnet', (1n << 224n) - 1n],
  ['testnet', (1n << 224n) - 1n],
  ['testnet4', (1n << 224n) - 1n],
  ['signet', 0x377aen << 216n],
  ['regtest', (1n << 255n) - 1n]
])

/** The networks whose headers can be checked (SPEC BE-12), as `btc:<network>` names them. */
export const BITCOIN_NETWORK_NAMES: readonly string[] = [...EASIEST_TARGETS.keys()]

/** Reads the 80 bytes of a header (SPEC BE-10); null for another length. */
export function parseHeader(bytes: Uint8Array): BlockHeader | null {
  if (bytes.length !== HEADER_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    hash: printedHash(hash256(bytes)),
    previousHash: printedHash(bytes.subarray(4, 36)),
    merkleRoot: bytes.slice(36, 68),
    time: view.getUint32(68, true),
    bits: view.getUint32(72, true)
  }
}

/** The target of a compact form, 32 bits (SPEC BE-11); null where it is negative, zero or above 2^256 − 1. */
export function targetOf(bits: number): bigint | null {
  const size = bits >>> 24
  const word = BigInt(bits & 0x007f_ffff)
  const target = size <= 3 ? word >> BigInt(8 * (3 - size)) : word << BigInt(8 * (size - 3))
  const isNegative = target !== 0n && (bits & 0x0080_0000) !== 0
  return isNegative || target === 0n || target >= 1n << 256n ? null : target
}

/** Whether the header's hash meets its target, and the target the limit of the network (SPEC BE-12, `BTC_POW`). */
export function hasProofOfWork({ hash, bits }: BlockHeader, network: string): boolean {
  const target = targetOf(bits)
  const easiest = EASIEST_TARGETS.get(network)
  return target !== null && (easiest === undefined || target <= easiest) && BigInt(`0x${hash}`) <= target
}
