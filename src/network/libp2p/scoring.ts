import type { PeerScoreParams, PeerScoreThresholds, TopicScoreParams } from '@libp2p/gossipsub/score'
import type { RejectMemory } from './reject-memory.ts'
import type { ShutOut } from './shut-out.ts'

/**
 * Counters decay at this step: fine enough for what is remembered for minutes, and no load on a simulated thousand
 * nodes.
 */
const DECAY_INTERVAL_MS = 10_000

/** A factor of 0.998 every 10 s halves in 58 minutes: what a peer did wrong is half forgotten in an hour. */
const HALVED_IN_AN_HOUR = 0.998

/** A factor of 0.98 every 10 s halves in 6 minutes: deliveries and slips are about the present. */
const HALVED_IN_MINUTES = 0.98

/**
 * What goodwill can be worth (P1 and P2 of all topics together): one reject. With more, a peer could behave for an hour
 * and then spend what it saved on a hundred invalid messages.
 */
const TOPIC_SCORE_CAP = 10

/**
 * What one reject costs; gossipsub takes the square of their number, so r rejects cost 10 r²: 10, 40, 90, 160. An
 * honest node never passes on what must be rejected, as it judges before it forwards.
 */
const REJECT_WEIGHT = -10

/** How each topic is scored. */
export const TOPIC_PARAMS: TopicScoreParams = {
  // All namespaces count alike; the cap keeps their sum in bounds however many are carried.
  topicWeight: 1,

  // P1, time in the mesh: a point after an hour and no more, to prefer old acquaintances a little.
  timeInMeshWeight: 1,
  timeInMeshQuantum: 3_600_000,
  timeInMeshCap: 1,

  // P2, first deliveries: up to 2 points for who brings news. gossipsub 17.1 counts each one twice under
  // asyncValidation, so the cap is reached with ten messages that were accepted.
  firstMessageDeliveriesWeight: 0.1,
  firstMessageDeliveriesDecay: HALVED_IN_MINUTES,
  firstMessageDeliveriesCap: 20,

  // P3 and P3b, too few deliveries: off. They compare with an absolute rate, and a federation is silent for hours and
  // then announces twenty batches: any threshold above zero would prune honest peers in the quiet. A peer that
  // withholds is answered by range-sync with the others.
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: HALVED_IN_MINUTES,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 2_000,
  meshMessageDeliveriesActivation: 60_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: HALVED_IN_MINUTES,

  // P4, invalid messages: see REJECT_WEIGHT.
  invalidMessageDeliveriesWeight: REJECT_WEIGHT,
  invalidMessageDeliveriesDecay: HALVED_IN_AN_HOUR
}

/**
 * The whole of peer scoring; in js gossipsub a topic without its own parameters is not scored at all, and a reject on
 * it costs nothing.
 * @param topics the topics that this node subscribes to
 */
export function scoreParams(
  topics: readonly string[],
  memory: RejectMemory,
  shutOut: Pick<ShutOut, 'excessSquare'>
): PeerScoreParams {
  return {
    topics: Object.fromEntries(topics.map((topic) => [topic, TOPIC_PARAMS])),
    topicScoreCap: TOPIC_SCORE_CAP,

    // P5, the application's part: the rejects that gossipsub forgot or was never told of, at the price of P4, and times
    // that a peer sent far too much, apart from them: three cost 90, so by themselves they cost nobody the hearing.
    appSpecificScore: (peerId) => -memory.missingSquare(peerId) - shutOut.excessSquare(peerId),
    appSpecificWeight: -REJECT_WEIGHT,

    // P6, many peers at one address: off. It is there against invented identities, and here operators admit each
    // PeerId; an organisation with twelve nodes behind one address is no attack.
    IPColocationFactorWeight: 0,
    IPColocationFactorThreshold: 1,
    IPColocationFactorWhitelist: new Set(),

    // P7, slips of the protocol (IWANT promises not kept, GRAFT during a backoff): a loaded honest peer makes some, so
    // six within minutes are free; eight cost what two rejects do, ten end in the graylist.
    behaviourPenaltyWeight: -10,
    behaviourPenaltyThreshold: 6,
    behaviourPenaltyDecay: HALVED_IN_MINUTES,

    decayInterval: DECAY_INTERVAL_MS,
    // Below a tenth of an event nothing is left to remember.
    decayToZero: 0.1,
    // Kept for peers that are gone, as long as P4 matters; what gossipsub loses when they come back is P5's.
    retainScore: 3_600_000
  }
}

/**
 * Where a score has consequences. A negative one already costs the place in the mesh. Each is chosen so that goodwill
 * at its cap does not change the number of rejects.
 */
export const SCORE_THRESHOLDS: PeerScoreThresholds = {
  // From two rejects on (-40): no IHAVE or IWANT is exchanged.
  gossipThreshold: -25,
  // From three (-90): this node's own events are no longer sent there directly.
  publishThreshold: -75,
  // From four (-160): everything the peer sends is dropped before it is decoded.
  graylistThreshold: -140,
  // Above any reachable score: addresses that peers recommend (PX) are never dialled, as peers.yaml says whom to dial.
  acceptPXThreshold: TOPIC_SCORE_CAP + 1,
  // When half of the mesh peers have brought nothing for minutes and are not old acquaintances, two others are tried.
  opportunisticGraftThreshold: 0.5
}
