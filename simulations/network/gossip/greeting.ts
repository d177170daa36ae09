import { ConnectionClosedError } from '@libp2p/interface'
import type { PeerId } from '@libp2p/interface'
import type { SimulatedSocket } from '../socket.ts'
import type { GossipFrame } from './frames.ts'
import { sizeOf } from './frames.ts'
import type { GossipConnection } from './gossip-connection.ts'

type Hello = Extract<GossipFrame, { readonly kind: 'hello' }>

export interface Greeting {
  readonly socket: SimulatedSocket<GossipFrame>
  readonly hello: Hello
  readonly isDialler: boolean
  /** Ends the wait for the other side. */
  readonly signal: AbortSignal
  /** Whether the connection is wanted, by who is at its other end. */
  readonly takes: (peerId: PeerId) => boolean
  readonly open: (hello: Hello) => GossipConnection
}

/**
 * Both sides say who they are, the dialler first; nobody lies here. Then all that comes is the connection's. One that is
 * not wanted is broken before the dialled side has said anything.
 */
export function greet({ socket, hello, isDialler, signal, takes, open }: Greeting): Promise<GossipConnection> {
  const sayHello = (): void => void socket.send(hello, sizeOf(hello))
  return new Promise((resolve, reject) => {
    let connection: GossipConnection | null = null
    const onAbort = (): void => refuse(signal.reason as Error)
    const refuse = (reason: Error): void => {
      signal.removeEventListener('abort', onAbort)
      socket.reset()
      reject(reason)
    }
    const onHello = (frame: GossipFrame): void => {
      if (frame.kind !== 'hello') return refuse(new ConnectionClosedError('the other side does not greet'))
      if (!takes(frame.peerId)) return refuse(new ConnectionClosedError('the other side is not wanted'))
      signal.removeEventListener('abort', onAbort)
      if (!isDialler) sayHello()
      connection = open(frame)
      resolve(connection)
    }
    const onOver = (status: 'closed' | 'reset'): void => {
      if (connection === null) refuse(new ConnectionClosedError(`the other side has ${status} the connection`))
      else connection.ended(status)
    }
    socket.attach({
      frame: (frame) => (connection === null ? onHello(frame) : connection.arrived(frame)),
      drain: () => connection?.drained(),
      end: () => onOver('closed'),
      reset: () => onOver('reset')
    })
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    if (isDialler) sayHello()
  })
}
