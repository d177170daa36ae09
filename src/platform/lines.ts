const LINE_FEED = 0x0a

/** A line is longer than its reader allows. */
export class LineTooLong extends Error {
  /** From 1. */
  readonly line: number

  constructor(line: number, bytesMax: number) {
    super(`line ${line}: is longer than ${bytesMax} bytes`)
    this.name = 'LineTooLong'
    this.line = line
  }
}

/** The lines of a stream without their line feeds, blank ones too. Holds one line at most. Throws `LineTooLong`. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let length = 0
  let line = 1
  for await (const chunk of chunks) {
    let start = 0
    while (start < chunk.length) {
      const end = chunk.indexOf(LINE_FEED, start)
      const part = chunk.subarray(start, end < 0 ? chunk.length : end)
      length += part.length
      if (length > bytesMax) throw new LineTooLong(line, bytesMax)
      parts.push(part)
      start += part.length + 1
      if (end < 0) continue
      yield joined(parts)
      parts = []
      length = 0
      line += 1
    }
  }
  if (length > 0) yield joined(parts)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}
