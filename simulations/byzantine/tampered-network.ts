import type { Network, NetworkHandlers } from '../../src/network/network.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import type { Misbehaviour } from '../model/misbehaviour.ts'

/** A node's port to the mesh, through which goes what the node's misbehaviour of the moment makes of it. */
export function tamperedNetwork(network: Network, now: () => Misbehaviour | null): Network {
  return {
    start: async (handlers) => await network.start(tampered(handlers, now)),
    async publish(namespace, wire) {
      const honestly = async (): Promise<number> => await network.publish(namespace, wire)
      return await (now()?.publish?.(namespace, wire, honestly) ?? honestly())
    },
    prepare: (update) => network.prepare(update),
    status: () => network.status(),
    stop: () => network.stop(),
    connected: () => network.connected(),
    async open(peerId, protocol, signal) {
      const opening = await network.open(peerId, protocol, signal)
      const opened = now()?.opened
      return opening.ok && opened !== undefined ? { ok: true, stream: opened(protocol, opening.stream) } : opening
    },
    penalise: (peerId, reason) => network.penalise(peerId, reason)
  }
}

function tampered(handlers: NetworkHandlers, now: () => Misbehaviour | null): NetworkHandlers {
  const { protocols = {} } = handlers
  const serve =
    (protocol: string, honestly: (stream: PeerStream) => Promise<void>) =>
    async (stream: PeerStream): Promise<void> =>
      await (now()?.serve?.(protocol, stream, honestly) ?? honestly(stream))
  return {
    ...(handlers.connected === undefined ? {} : { connected: (peerId: string) => handlers.connected?.(peerId) }),
    ...(handlers.disconnected === undefined
      ? {}
      : { disconnected: (peerId: string) => handlers.disconnected?.(peerId) }),
    async judge(namespace, wire, peerId) {
      const honestly = () => handlers.judge(namespace, wire, peerId)
      return await (now()?.judge?.({ namespace, wire, peerId }, honestly) ?? honestly())
    },
    protocols: Object.fromEntries(Object.entries(protocols).map(([name, handler]) => [name, serve(name, handler)]))
  }
}
