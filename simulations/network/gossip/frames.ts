import type { PeerId } from '@libp2p/interface'

/** What goes over a connection between thin hosts: what yamux, multistream-select and ping say, without their encoding. */
export type GossipFrame =
  | { readonly kind: 'hello'; readonly peerId: PeerId; readonly protocols: readonly string[] }
  | { readonly kind: 'open'; readonly stream: number; readonly protocols: readonly string[] }
  | { readonly kind: 'accept'; readonly stream: number; readonly protocol: string }
  | { readonly kind: 'refuse'; readonly stream: number }
  | { readonly kind: 'data'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly kind: 'window'; readonly stream: number; readonly bytes: number }
  | { readonly kind: 'finish'; readonly stream: number }
  | { readonly kind: 'reset'; readonly stream: number }
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }

// A header of yamux, and the length and tag of a Noise message.
const MUX_BYTES = 12 + 18
// The handshake of Noise, and what identify says: each way about as much.
const HELLO_BYTES = 600
// `/multistream/1.0.0` and the name of a protocol.
const SELECT_BYTES = 40
const PING_BYTES = 32

/** What a frame takes on the wire of level `full`, about. */
export function sizeOf(frame: GossipFrame): number {
  switch (frame.kind) {
    case 'hello':
      return HELLO_BYTES
    case 'open':
    case 'accept':
      return MUX_BYTES + SELECT_BYTES
    case 'data':
      return MUX_BYTES + frame.bytes.length
    case 'ping':
    case 'pong':
      // libp2p opens a stream for each.
      return 2 * MUX_BYTES + SELECT_BYTES + PING_BYTES
    default:
      return MUX_BYTES
  }
}
