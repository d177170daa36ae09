import { chunksOf, createBreakage, writeAll } from '../../src/streams/breakage.ts'
import type { Breakage } from '../../src/streams/breakage.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'

/** One end of a stream in memory. */
export interface MemoryStream extends PeerStream {
  /**
   * Nobody uses this end any more: closes its side if it never wrote, breaks the stream if it stopped in the middle, and
   * drops what the other side may still send.
   */
  release(): void
}

/** The two ends of a stream in memory. */
export interface MemoryStreamPair {
  /** The end of the node that opened the stream. */
  readonly near: MemoryStream
  readonly far: MemoryStream
  /** Breaks both ends. */
  abort(reason: Error): void
}

/**
 * A stream between two nodes, by PeerId. Each direction holds one chunk: the writer waits with the next until the
 * reader has taken it. There are no timers, so the order of everything is that of the promises.
 * @param onOver called once, when both sides are closed or the stream breaks
 */
export function createStreamPair(nearPeerId: string, farPeerId: string, onOver: () => void): MemoryStreamPair {
  const breakage = createBreakage()
  const there = createLane()
  const back = createLane()
  let over = false
  const abort = (reason: Error): void => {
    // A stream that both sides have closed is over, whatever happens to its link.
    if (over) return
    over = true
    breakage.break(reason)
    onOver()
  }
  const onClose = (): void => {
    if (over || !there.closed() || !back.closed()) return
    over = true
    onOver()
  }
  return {
    near: endOf(farPeerId, { read: back, write: there, breakage, abort, onClose }),
    far: endOf(nearPeerId, { read: there, write: back, breakage, abort, onClose }),
    abort
  }
}

/** One direction. */
interface Lane {
  /** Resolves when there was room for the chunk, or it was dropped because the reader has left. */
  readonly put: (chunk: Uint8Array) => Promise<void>
  /** The next chunk; null after the end. */
  take(): Promise<Uint8Array | null>
  close(): void
  closed(): boolean
  /** The reader leaves: what comes is dropped. */
  readonly drop: () => void
}

function createLane(): Lane {
  let held: Uint8Array | null = null
  let wakeReader: (() => void) | null = null
  let wakeWriter: (() => void) | null = null
  let closed = false
  let dropping = false

  const empty = (): Uint8Array | null => {
    const chunk = held
    held = null
    wakeWriter?.()
    return chunk
  }

  return {
    async put(chunk) {
      if (held !== null) {
        await new Promise<void>((resolve) => {
          wakeWriter = resolve
        })
      }
      if (dropping) return
      held = new Uint8Array(chunk)
      wakeReader?.()
    },
    async take() {
      if (held === null && !closed) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      }
      return empty()
    },
    close() {
      closed = true
      wakeReader?.()
    },
    closed: () => closed,
    drop() {
      dropping = true
      empty()
    }
  }
}

interface EndParts {
  readonly read: Lane
  readonly write: Lane
  readonly breakage: Breakage
  readonly abort: (reason: Error) => void
  readonly onClose: () => void
}

function endOf(peerId: string, { read, write, breakage, abort, onClose }: EndParts): MemoryStream {
  let writing = false
  const close = (): void => {
    write.close()
    onClose()
  }
  return {
    peerId,
    source: chunksOf(() => breakage.race(read.take()), read.drop),
    async sink(source) {
      if (writing || write.closed()) throw new Error('the stream is written to already')
      writing = true
      try {
        await writeAll(source, breakage, write.put)
        close()
      } catch (error) {
        const reason = error instanceof Error ? error : new Error('writing failed', { cause: error })
        abort(reason)
        throw reason
      }
    },
    abort,
    release() {
      if (writing && !write.closed()) abort(new Error('given up before everything was written'))
      close()
      read.drop()
    }
  }
}
