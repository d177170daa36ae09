import { HEADER_BYTES, parseHeader } from '../../bitcoin-evidence/v1/header.ts'
import { fromHex } from '../../primitives/bytes.ts'

/**
 * Largest file of known headers, bytes (SPEC BH-1). A line has some 170, so this is the headers of almost four years, or
 * those of 200,000 anchored blocks; what is read stays in memory.
 */
export const KNOWN_HEADERS_BYTES_MAX = 32 * 1024 * 1024

/** One line of the file. */
export interface KnownHeader {
  readonly height: number
  /** As Bitcoin's tools print it. */
  readonly hash: string
  /** The 80 bytes. */
  readonly header: Uint8Array
}

export interface KnownHeaders {
  readonly byHash: ReadonlyMap<string, KnownHeader>
  readonly byHeight: ReadonlyMap<number, KnownHeader>
  readonly tipHeight: number
}

export type KnownHeadersReading =
  | { readonly ok: true; readonly headers: KnownHeaders }
  /** `line` counts from 1. */
  | { readonly ok: false; readonly line: number; readonly detail: string }

const LINE = /^(0|[1-9]\d{0,9}) ([0-9a-f]{160})$/

/**
 * Reads the text of a file of known headers by SPEC BH-2 to BH-7; the size is for who reads the file. Nobody but who
 * wrote it says that these are blocks of the best chain, and whether they have their proof of work is not looked at.
 */
export function readKnownHeaders(text: string): KnownHeadersReading {
  const byHash = new Map<string, KnownHeader>()
  const byHeight = new Map<number, KnownHeader>()
  let last: KnownHeader | null = null
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    // BH-2: comments and empty lines.
    if (line === '' || line.startsWith('#')) continue
    const refuse = (detail: string): KnownHeadersReading => ({ ok: false, line: index + 1, detail })
    const [, heightText, hex] = LINE.exec(line) ?? []
    const header = hex === undefined ? null : fromHex(hex)
    const parsed = header === null ? null : parseHeader(header)
    // [REJECT] BH-3: a height and a header.
    if (header === null || parsed === null) {
      return refuse(`expected a height, a space and ${HEADER_BYTES * 2} lower-case hex digits`)
    }
    const height = Number(heightText)
    // [REJECT] BH-4: heights go up.
    if (last !== null && height <= last.height) return refuse(`height ${height} does not come after ${last.height}`)
    // [REJECT] BH-5: what follows builds on what it follows.
    if (last !== null && height === last.height + 1 && parsed.previousHash !== last.hash) {
      return refuse(`the header at height ${height} does not build on the one before`)
    }
    // [REJECT] BH-6: a block stands at one height.
    if (byHash.has(parsed.hash)) return refuse(`the header ${parsed.hash} stands at two heights`)
    last = { height, hash: parsed.hash, header }
    byHash.set(last.hash, last)
    byHeight.set(height, last)
  }
  // [REJECT] BH-7: there is a header.
  if (last === null) return { ok: false, line: 1, detail: 'there is no header' }
  return { ok: true, headers: { byHash, byHeight, tipHeight: last.height } }
}
