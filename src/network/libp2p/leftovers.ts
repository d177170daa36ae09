import { Server } from 'node:net'
import type { Socket } from 'node:net'
import type { Libp2pEvents, Listener, Startable, TypedEventTarget } from '@libp2p/interface'

/** Of libp2p's components, those that leave something behind. */
export interface LeftoverComponents {
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly addressManager: object
}

/**
 * Takes away what libp2p 3.3 and gossipsub 17.1 leave behind when they stop, so that the process can end at once:
 * gossipsub's next heartbeat (up to 1.25 s), the address manager's delayed update after the listeners closed (1 s), and
 * connections to a WebSocket listener that have not sent a byte (for these it would wait for ever). None has a public
 * handle, so each is looked for by its name inside and passed over where a later version has no such thing.
 */
export function leftovers(router: () => object | undefined): (components: LeftoverComponents) => Startable {
  return ({ events, addressManager }) => {
    const sockets = new Set<Socket>()
    let stopping = false
    let heartbeat: unknown

    const onConnection = (socket: Socket): void => {
      if (stopping) socket.destroy()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }

    const onListening = ({ detail: listener }: CustomEvent<Listener>): void => {
      const server = memberOf(listener, 'server')
      if (!(server instanceof Server) || server.listeners('connection').includes(onConnection)) return
      server.on('connection', onConnection)
    }

    return {
      start() {
        events.addEventListener('transport:listening', onListening)
      },
      beforeStop() {
        stopping = true
        heartbeat = memberOf(memberOf(router(), 'status'), 'heartbeatTimeout')
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      },
      stop() {
        events.removeEventListener('transport:listening', onListening)
      },
      afterStop() {
        if (isTimer(heartbeat)) clearTimeout(heartbeat)
        const delayed = memberOf(addressManager, '_updatePeerStoreAddresses')
        const cancel = memberOf(delayed, 'stop')
        if (typeof cancel === 'function') Reflect.apply(cancel, delayed, [])
      }
    }
  }
}

function memberOf(holder: unknown, name: string): unknown {
  const hasMembers = (typeof holder === 'object' && holder !== null) || typeof holder === 'function'
  return hasMembers ? Reflect.get(holder, name) : undefined
}

function isTimer(value: unknown): value is NodeJS.Timeout {
  return typeof value === 'object' && value !== null
}
