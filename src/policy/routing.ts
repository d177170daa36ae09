import type { Random } from '../platform/random.ts'
import { shuffled } from '../platform/random.ts'

/**
 * The peers to ask for what a namespace lacks: all of them in random order, so that nobody is always asked first; where
 * `routing` names some (`PolicyView.routing`), those alone, in its order. None of them may be at hand: then nobody is asked.
 */
export function peersToAsk<Peer>(
  peers: readonly Peer[],
  routing: readonly string[] | null,
  didOf: (peer: Peer) => string | undefined,
  random: Random
): readonly Peer[] {
  if (routing === null) return shuffled(peers, random)
  return routing.flatMap((did) => peers.filter((peer) => didOf(peer) === did))
}
