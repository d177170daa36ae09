/** What breaks a stream, once, and ends every wait for it: the part that adapters of `PeerStream` have in common. */
export interface Breakage {
  /** Why the stream broke; null while it has not. */
  readonly reason: Error | null
  /** Breaks it. The first reason stays. */
  break(reason: Error): void
  /** What `work` gives, or the reason as soon as there is one. */
  race<Value>(work: Promise<Value>): Promise<Value>
}

/** A stream that has not broken. */
export function createBreakage(): Breakage {
  // A reader and a writer, each with one wait at a time.
  const waiting = new Set<(reason: Error) => void>()
  let broken: Error | null = null
  return {
    get reason() {
      return broken
    },
    break(reason) {
      if (broken !== null) return
      broken = reason
      for (const reject of waiting) reject(reason)
      waiting.clear()
    },
    async race(work) {
      // A promise for each call: one that lives as long as the stream would keep something of every chunk.
      const breaking = Promise.withResolvers<never>()
      if (broken === null) waiting.add(breaking.reject)
      else breaking.reject(broken)
      try {
        return await Promise.race([breaking.promise, work])
      } finally {
        waiting.delete(breaking.reject)
      }
    }
  }
}

/**
 * Hands each chunk of `source` to `write` and waits for it before it takes the next. Resolves when the source has
 * ended; rejects when the stream breaks, however long the source or `write` would still take, or with what they throw.
 */
export async function writeAll(
  source: AsyncIterable<Uint8Array>,
  breakage: Breakage,
  write: (chunk: Uint8Array) => Promise<void>
): Promise<void> {
  const chunks = source[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await breakage.race(chunks.next())
      if (next.done === true) {
        ended = true
        return
      }
      if (next.value.length > 0) await breakage.race(write(next.value))
    }
  } finally {
    // Not awaited, as a source that waits for something of its own would hold up the news that the stream broke; and
    // what it throws while it is given up is of no more interest.
    if (!ended) void Promise.resolve(chunks.return?.()).catch(() => undefined)
  }
}

/**
 * The chunks that `read` gives until it gives null, as a `PeerStream.source`.
 * @param leave called when the reader wants no more, also after the end
 */
export async function* chunksOf(read: () => Promise<Uint8Array | null>, leave: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (let chunk = await read(); chunk !== null; chunk = await read()) yield chunk
  } finally {
    leave()
  }
}
