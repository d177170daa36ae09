import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A way to a TCP port on loopback that can be cut, so that processes which talk over it go on without each other. */
export interface Link {
  /** Where to dial; stays the same while the link is cut. */
  readonly port: number
  /** Breaks every connection and refuses new ones. */
  cut(): void
  heal(): void
  /** Breaks every connection and listens no more. */
  close(): Promise<void>
}

/** Opens a link to a port, on a port of the system's choice. */
export async function openLink(targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>()
  let isCut = false
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy()
      return
    }
    const far = connect({ host: '127.0.0.1', port: targetPort })
    keep(near)
    keep(far)
    // What breaks on one side breaks on the other: the processes see why.
    near.once('error', () => far.resetAndDestroy())
    far.once('error', () => near.resetAndDestroy())
    near.pipe(far)
    far.pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    heal() {
      isCut = false
    },
    async close() {
      cut()
      const closed = once(server, 'close')
      server.close()
      await closed
    }
  }
}

/** Every way to one node, cut and healed together. */
export interface Links {
  /** Opens a way to a port of loopback and answers the port at which it begins. */
  to(targetPort: number): Promise<number>
  cut(): void
  heal(): void
  close(): Promise<void>
}

export function createLinks(): Links {
  const links: Link[] = []
  return {
    async to(targetPort) {
      const link = await openLink(targetPort)
      links.push(link)
      return link.port
    },
    cut() {
      for (const link of links) link.cut()
    },
    heal() {
      for (const link of links) link.heal()
    },
    async close() {
      await Promise.all(links.map((link) => link.close()))
    }
  }
}
