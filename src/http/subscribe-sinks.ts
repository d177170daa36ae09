import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from '@fastify/websocket'
import type { FrameSink } from '../subscriptions/sink.ts'

// RFC 6455 section 7.4.1 and the registry that it founds.
const TRY_AGAIN_LATER = 1013
const POLICY_VIOLATION = 1008

/** Frames as Server-Sent Events: the body of an answer that ends with its connection. */
export function eventSink(response: ServerResponse): FrameSink {
  return {
    form: 'events',
    write: (bytes) => void response.write(bytes),
    get waitingBytes() {
      return response.writableLength
    },
    drained: () => drained(response),
    end: () => void response.end(),
    destroy: () => void response.destroy()
  }
}

/**
 * Frames as WebSocket messages. They come with their headers and are the same bytes for everybody, so they go to the
 * connection itself: between them the socket writes its pongs and its close, each of them whole.
 */
export function messageSink(socket: WebSocket, connection: Duplex): FrameSink {
  return {
    form: 'messages',
    write: (bytes) => void connection.write(bytes),
    get waitingBytes() {
      return connection.writableLength
    },
    drained: () => drained(connection),
    end: ({ retryable }) => socket.close(retryable ? TRY_AGAIN_LATER : POLICY_VIOLATION),
    destroy: () => socket.terminate()
  }
}

function drained(stream: Duplex | ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (!stream.writableNeedDrain || stream.destroyed) {
      resolve()
      return
    }
    const finish = (): void => {
      stream.off('drain', finish)
      stream.off('close', finish)
      resolve()
    }
    stream.on('drain', finish)
    stream.on('close', finish)
  })
}
