import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Trace, TraceKind } from '../model/simulation.ts'
import { START_US } from '../world/virtual-time.ts'

// Held before it is compressed: enough for gzip to do well, and little beside what a run takes.
const CHUNK_CHARS = 1 << 20
// RFC 1952: where gzip names the operating system. 255 is "unknown"; otherwise the bytes would differ between systems.
const GZIP_OS_BYTE = 9
const GZIP_OS_UNKNOWN = 255

/** What of a trace is compared. */
export interface TraceEnd {
  /** SHA-256 of the uncompressed bytes, in hex. */
  readonly hash: string
  readonly records: number
  /** Uncompressed. */
  readonly bytes: number
}

export interface TraceWriterOptions {
  readonly time: { readonly nowUs: number }
  /** Takes the compressed bytes; without it only the hash is made. */
  readonly write?: (bytes: Uint8Array) => void
  /** Whether records of kind `frame` are kept. */
  readonly frames: boolean
}

/**
 * The trace of a run as lines of canonical JSON (RFC 8785), compressed as it grows. Everything in it is synchronous: a
 * simulation must not wait for real time. `simulations/TRACE.md` is its format.
 */
export class TraceWriter implements Trace {
  readonly #options: TraceWriterOptions
  readonly #hash = createHash('sha256')
  #lines: string[] = []
  #chars = 0
  #records = 0
  #bytes = 0
  #end: TraceEnd | null = null

  constructor(options: TraceWriterOptions) {
    this.#options = options
  }

  record(kind: TraceKind, node: string | null, fields: JsonObject = {}): void {
    if (kind === 'frame' && !this.#options.frames) return
    if (this.#end !== null) throw new Error(`the trace is finished, and ${kind} comes after it`)
    const line = `${canonicalLine(this.#options.time.nowUs - START_US, kind, node, fields)}\n`
    this.#records += 1
    this.#lines.push(line)
    this.#chars += line.length
    if (this.#chars >= CHUNK_CHARS) this.#flush()
  }

  /** Nothing comes after it. Asked again, it says the same. */
  finish(): TraceEnd {
    if (this.#end !== null) return this.#end
    this.#flush()
    this.#end = { hash: this.#hash.digest('hex'), records: this.#records, bytes: this.#bytes }
    return this.#end
  }

  #flush(): void {
    if (this.#lines.length === 0) return
    const bytes = Buffer.from(this.#lines.join(''))
    this.#lines = []
    this.#chars = 0
    this.#bytes += bytes.length
    this.#hash.update(bytes)
    // Members of gzip that follow each other are one file.
    this.#options.write?.(gzipped(bytes))
  }
}

function canonicalLine(atUs: number, kind: TraceKind, node: string | null, fields: JsonObject): string {
  const record: JsonObject = { ...fields, atUs, kind, node }
  if (Object.keys(record).length !== Object.keys(fields).length + 3)
    throw new Error(`the record ${kind} has a field atUs, kind or node of its own`)
  // In order already, so that the canonical form is what JSON.stringify writes.
  const ordered = Object.keys(record).toSorted(byCodeUnits)
  return encodeCanonical(Object.fromEntries(ordered.map((name) => [name, record[name]])))
}

const byCodeUnits = (left: string, right: string): number => (left < right ? -1 : Number(left > right))

function gzipped(bytes: Uint8Array): Uint8Array {
  const compressed = gzipSync(bytes)
  compressed[GZIP_OS_BYTE] = GZIP_OS_UNKNOWN
  return compressed
}
