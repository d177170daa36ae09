import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AnchormeshError } from '../platform/errors.ts'
import { DAMAGE_HINT } from './damage-hint.ts'

/**
 * LevelDB's write-ahead log as LevelDB's `doc/log_format.md` has it: blocks of 32 KiB, in each of them fragments of a
 * masked CRC-32C (4 bytes), a length (2), a type (1), little-endian, and the data. What has no room for a header at the
 * end of a block is left empty.
 */
const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
const TYPE_OFFSET = 6
/**
 * A batch that does not fit into the rest of a block is cut into fragments of these types; one that does has type 1.
 */
const FIRST = 2
const MIDDLE = 3
const LAST = 4
const NAME = /^\d+\.log$/

/**
 * Looks at the write-ahead logs of a LevelDB folder before LevelDB does. LevelDB leaves out what is damaged without a
 * word, and what it takes over it deletes; so a damaged byte would make a hole in the log. Reads some MiB (no more than
 * the write buffer holds), whatever the size of the store. A torn end is what a crash leaves behind and no damage.
 * Throws `STORE_CORRUPT` for damage that intact data follow.
 */
export async function checkWriteAheadLogs(location: string): Promise<void> {
  for (const name of await namesIn(location)) {
    if (!NAME.test(name)) continue
    const path = join(location, name)
    const damagedAt = findDamage(await readFile(path))
    if (damagedAt === null) continue
    throw new AnchormeshError('STORE_CORRUPT', `${path} is damaged at byte ${damagedAt}`, {
      hint: DAMAGE_HINT
    })
  }
}

/**
 * The offset of the first fragment that is damaged, though an intact one follows, or that is out of place; `null` when
 * there is none.
 */
export function findDamage(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let damagedAt: number | null = null
  let within = false
  let at = 0
  while (at + HEADER_BYTES <= bytes.length) {
    const blockEnd = at - (at % BLOCK_BYTES) + BLOCK_BYTES
    const end = at + HEADER_BYTES + view.getUint16(at + 4, true)
    if (at + HEADER_BYTES > blockEnd) {
      at = blockEnd
    } else if (end > blockEnd) {
      // The length itself is damaged: nothing more can be told apart in this block.
      damagedAt ??= at
      at = blockEnd
    } else if (end > bytes.length) {
      return null
    } else if (view.getUint32(at, true) === maskedCrc(bytes.subarray(at + TYPE_OFFSET, end))) {
      const type = bytes[at + TYPE_OFFSET]
      const follows = type === MIDDLE || type === LAST
      if (damagedAt !== null || follows !== within) return damagedAt ?? at
      within = type === FIRST || type === MIDDLE
      at = end
    } else {
      damagedAt ??= at
      at = end
    }
  }
  return null
}

async function namesIn(location: string): Promise<string[]> {
  try {
    return await readdir(location)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** LevelDB stores no plain CRC, because a CRC over data that hold CRCs is a weak one. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

const CASTAGNOLI = 0x82f63b78
const CRC_OF_BYTE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1
  return crc
})

/**
 * CRC-32C (RFC 3720, appendix B.4). In signed 32-bit numbers and by index, which takes a quarter of the time: it may go
 * over 32 MiB.
 */
function crc32c(data: Uint8Array): number {
  let crc = -1
  for (let index = 0; index < data.length; index += 1)
    crc = (crc >>> 8) ^ (CRC_OF_BYTE[(crc ^ (data[index] as number)) & 0xff] as number)
  return ~crc >>> 0
}
