import type { Stream } from '@libp2p/interface'
import { chunksOf, createBreakage, writeAll } from '../../streams/breakage.ts'
import type { PeerStream } from '../../streams/peer-stream.ts'

/** A libp2p stream as a `PeerStream`. */
export interface LinkStream extends PeerStream {
  /**
   * Nobody uses the stream any more: closes this side if it never wrote, breaks the stream if it stopped in the middle,
   * and drops what the other side may still send.
   */
  release(): void
}

/**
 * Adapts a stream of libp2p 3. Nothing of its own helps for this holds back a sender or waits for a receiver as often as
 * is needed: its async iterable takes in whatever comes, and its `onDrain` waits once in the life of a stream. So this
 * pauses the stream whenever a chunk lies here unread. At most two receive windows of a stream are held: one here, and
 * one in libp2p that was under way when it paused.
 */
export function linkStream(stream: Stream, peerId: string): LinkStream {
  const breakage = createBreakage()
  const unread: Uint8Array[] = []
  let wake: (() => void) | null = null
  let remoteEnded = stream.remoteWriteStatus === 'closed'
  let dropping = false
  let writing: 'never' | 'begun' | 'closed' = 'never'

  const broke = (reason: Error): void => {
    unread.length = 0
    breakage.break(reason)
  }

  const pause = (): void => {
    if (stream.readStatus === 'readable' && unread.length > 0 && !remoteEnded && !dropping) stream.pause()
  }

  let resuming = false
  const resume = (): void => {
    if (stream.readStatus !== 'paused') return
    resuming = true
    try {
      stream.resume()
    } catch (error) {
      // It hands over what lies there before it asks for more; after the end there is nothing to ask for.
      if (!remoteEnded) broke(error instanceof Error ? error : new Error('reading failed', { cause: error }))
    }
    resuming = false
    pause()
  }

  stream.addEventListener('message', ({ data }) => {
    if (dropping) return
    unread.push(data.subarray())
    // Paused while it resumes, libp2p 3.3 would forget that it is paused and take in everything.
    if (!resuming) pause()
    wake?.()
  })
  stream.addEventListener('remoteCloseWrite', () => {
    remoteEnded = true
    // A frame that closes may bring data, which libp2p hands on right after this event. After that nothing can come, so
    // there is nothing to hold back any more.
    queueMicrotask(() => {
      resume()
      wake?.()
    })
  })
  stream.addEventListener('close', ({ error }) => {
    // libp2p closes the streams of a connection that ends without an error, as if both sides had finished.
    if (error !== undefined) broke(error)
    else if (!remoteEnded || writing !== 'closed') broke(new Error('the connection has closed'))
  })
  // At once, or what arrives until the first read would fill libp2p's buffer and break the stream.
  if (stream.status !== 'open') broke(new Error(`the stream is ${stream.status}`))
  else if (stream.readStatus === 'readable' && !remoteEnded) stream.pause()

  const read = async (): Promise<Uint8Array | null> => {
    for (;;) {
      if (breakage.reason !== null) throw breakage.reason
      const chunk = unread.shift()
      if (chunk !== undefined) return chunk
      if (remoteEnded && stream.readBufferLength === 0) return null
      const more = new Promise<void>((resolve) => {
        wake = resolve
      })
      resume()
      if (unread.length === 0) await breakage.race(more)
      wake = null
    }
  }

  const drop = (): void => {
    dropping = true
    unread.length = 0
    if (breakage.reason === null) resume()
  }

  const write = async (chunk: Uint8Array): Promise<void> => {
    stream.send(chunk)
    while (stream.writableNeedsDrain) {
      await new Promise<void>((resolve) => {
        stream.addEventListener('drain', () => resolve(), { once: true })
      })
    }
  }

  const abort = (reason: Error): void => {
    broke(reason)
    stream.abort(reason)
  }

  const close = async (): Promise<void> => {
    writing = 'closed'
    await breakage.race(stream.close())
  }

  return {
    peerId,
    source: chunksOf(read, drop),
    async sink(source) {
      if (writing !== 'never') throw new Error('the stream is written to already')
      writing = 'begun'
      try {
        await writeAll(source, breakage, write)
        await close()
      } catch (error) {
        const reason = error instanceof Error ? error : new Error('writing failed', { cause: error })
        abort(reason)
        throw reason
      }
    },
    abort,
    release() {
      if (writing === 'begun') abort(new Error('given up before everything was written'))
      if (writing === 'never') close().catch(abort)
      drop()
    }
  }
}
