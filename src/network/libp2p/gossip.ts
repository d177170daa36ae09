import { gossipsub, StrictNoSign, TopicValidatorResult } from '@libp2p/gossipsub'
import type { GossipSub, GossipSubComponents, GossipsubMessage, GossipsubOpts } from '@libp2p/gossipsub'
import { EVENT_BYTES_MAX } from '../../../protocols/event/v1/envelope.ts'
import { concat, toHex, utf8 } from '../../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { GossipVerdict } from '../network.ts'
import { topicOf } from '../topic.ts'
import type { JudgeGate } from './judge-gate.ts'
import type { RejectMemory } from './reject-memory.ts'
import { SCORE_THRESHOLDS, TOPIC_PARAMS, scoreParams } from './scoring.ts'
import type { TopicScoreParams } from '@libp2p/gossipsub/score'
import type { ShutOut } from './shut-out.ts'

/**
 * The largest RPC that is read. An event is at most 48 KiB and is forwarded alone, but the answer to an IWANT holds all
 * that was asked for: this is twenty of the largest events or about a thousand ordinary ones, and a list of 5,000 ids
 * fits six times. gossipsub ends the stream of a peer that sends more.
 */
const RPC_BYTES_MAX = 1_048_576

/**
 * What may wait for a slow reader: eight RPCs of the largest size. Past it the stream is reset, and sync catches up.
 */
const OUTBOUND_BUFFER_BYTES_MAX = 8 * RPC_BYTES_MAX

/** Subscriptions and GRAFTs come once per topic, and no node carries a thousand namespaces. */
const RPC_TOPIC_ENTRIES_MAX = 1_000

/** gossipsub's own bound on the ids of one IHAVE, and so on those of an IWANT and on the messages of its answer. */
const RPC_MESSAGES_MAX = 5_000

const ACCEPTANCE: Readonly<Record<GossipVerdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

/**
 * What `@libp2p/gossipsub` 17.1 has at run time and its exported type leaves out.
 */
export interface GossipRouter extends GossipSub {
  /** Topics of others that are heard of: what peers subscribe to beside them is forgotten. */
  readonly allowedTopics: Set<string>
  readonly score: { readonly params: { readonly topics: Record<string, TopicScoreParams> } }
  /** The streams to peers, by PeerId; without one a peer gets nothing, however open its connection is. */
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  /** The protocols that it speaks, the newest first. */
  readonly protocols: string[]
  start(): Promise<void>
  stop(): Promise<void>
  getMeshPeers(topic: string): string[]
  getScore(peerId: string): number
  reportMessageValidationResult(messageId: string, peerId: string, acceptance: TopicValidatorResult): void
}

/** What the router is built from. */
export interface GossipOptions {
  readonly namespaces: readonly string[]
  readonly memory: RejectMemory
  readonly shutOut: ShutOut
  readonly logger: Logger
  /** Where gossipsub registers its own metrics. */
  readonly metrics?: GossipRegister
}

/** What gossipsub registers its own metrics with. */
export type GossipRegister = NonNullable<GossipsubOpts['metricsRegister']>

/** The configured router as a libp2p service. */
export function createRouter(options: GossipOptions): (components: GossipSubComponents) => GossipRouter {
  const create = gossipsub(routerOptions(options))
  return (components) => {
    const router = create(components)
    if (!isRouter(router)) throw new TypeError('this version of @libp2p/gossipsub has another inside than 17.1')
    return router
  }
}

/** What judges the messages of the carried namespaces. */
export interface Judge {
  /** From now on these namespaces are carried, and those of before that are not among them no more. */
  carry(namespaces: readonly string[]): void
  /** Takes everything off again. */
  detach(): void
}

/**
 * Lets `gate` judge what arrives. Size is checked by a topic validator, which runs before a message is cached; the
 * judgement itself runs under `asyncValidation`, where gossipsub remembers who else sent the message meanwhile and does
 * not forward it to them. Each message gets exactly one report.
 */
export function attachJudge(router: GossipRouter, options: GossipOptions, gate: JudgeGate): Judge {
  const { memory, logger } = options
  const namespaceOf = new Map<string, string>()

  const onMessage = ({ detail }: CustomEvent<GossipsubMessage>): void => {
    const namespace = namespaceOf.get(detail.msg.topic)
    if (namespace === undefined) return
    const peerId = detail.propagationSource.toString()
    // Its own copy: what arrived is a view of a whole RPC, which would live on for as long as one event is held.
    const wire = new Uint8Array(detail.msg.data)
    const report = (verdict: GossipVerdict): void => {
      if (verdict === 'reject') memory.rejected(peerId)
      router.reportMessageValidationResult(detail.msgId, peerId, ACCEPTANCE[verdict])
    }
    gate
      .judge(namespace, wire, peerId)
      .then(report)
      .catch((error: unknown) => {
        logger.error({ namespace, peerId, error: messageOf(error) }, 'a verdict could not be reported to gossip')
      })
  }

  const add = (topic: string, namespace: string): void => {
    namespaceOf.set(topic, namespace)
    router.allowedTopics.add(topic)
    // Those of topics that are carried no more stay: the router still counts what it has counted of them.
    router.score.params.topics[topic] ??= TOPIC_PARAMS
    router.topicValidators.set(topic, (peer, message) => {
      if (message.data.length <= EVENT_BYTES_MAX) return TopicValidatorResult.Accept
      memory.rejected(peer.toString())
      return TopicValidatorResult.Reject
    })
  }
  const remove = (topic: string): void => {
    namespaceOf.delete(topic)
    router.topicValidators.delete(topic)
  }
  const carry = (namespaces: readonly string[]): void => {
    const topics = new Map(namespaces.map((namespace) => [topicOf(namespace), namespace]))
    for (const topic of namespaceOf.keys()) {
      if (topics.has(topic)) continue
      remove(topic)
      router.allowedTopics.delete(topic)
    }
    for (const [topic, namespace] of topics) if (!namespaceOf.has(topic)) add(topic, namespace)
  }
  carry(options.namespaces)
  router.addEventListener('gossipsub:message', onMessage)
  return {
    carry,
    detach() {
      router.removeEventListener('gossipsub:message', onMessage)
      for (const topic of namespaceOf.keys()) remove(topic)
    }
  }
}

function routerOptions({ namespaces, memory, shutOut, metrics }: GossipOptions): Partial<GossipsubOpts> {
  const topics = namespaces.map(topicOf)
  return {
    // The event's own signature is the one that counts; a second one per hop costs three to four times the CPU.
    globalSignaturePolicy: StrictNoSign,
    // Over topic and full bytes. Not the event's id: a true event must still get in after the same event under a
    // garbage signature. Not the bytes alone: a peer could send a true event on another topic first, and the true one
    // would pass for a copy. The fast id spares the rest of the work for copies, and must be as hard to forge as the
    // real one.
    msgIdFn: ({ topic, data }) => sha256(messageIdInput(topic, data)),
    msgIdToStrFn: toHex,
    fastMsgIdFn: ({ topic, data }) => sha256Hex(messageIdInput(topic ?? '', data ?? new Uint8Array())),

    allowedTopics: topics,
    fallbackToFloodsub: false,
    asyncValidation: true,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // One encoding for all recipients. Without it, gossipsub 17.1 shares one RPC object among them and adds to it what
    // it has to tell each, so that one peer's IHAVE and GRAFT reach the next.
    batchPublish: true,
    // Own events go to every subscriber: a federation has tens of nodes, and the mesh may not have formed yet.
    floodPublish: true,
    // Whom to dial says peers.yaml, so no peer is recommended to another.
    doPX: false,

    // With four mesh peers a message gets through the loss of any three; each further one is more duplicates per
    // delivery (2.0 at D = 3, 2.6 at D = 6 with IDONTWANT). In a federation of up to five nodes all are in each other's
    // mesh.
    D: 4,
    Dlo: 3,
    Dhi: 8,
    Dscore: 3,
    // Below Dlo and at most D / 2, as the specification asks.
    Dout: 1,
    // Those outside the mesh hear of new messages by id, six of them at a heartbeat.
    Dlazy: 6,
    // The smallest event with its signature is larger, so every event is announced as had before it is judged.
    idontwantMinDataSize: 512,

    scoreParams: scoreParams(topics, memory, shutOut),
    scoreThresholds: SCORE_THRESHOLDS,

    maxInboundDataLength: RPC_BYTES_MAX,
    maxOutboundBufferSize: OUTBOUND_BUFFER_BYTES_MAX,
    decodeRpcLimits: {
      maxSubscriptions: RPC_TOPIC_ENTRIES_MAX,
      maxControlMessages: RPC_TOPIC_ENTRIES_MAX,
      maxMessages: RPC_MESSAGES_MAX,
      maxIhaveMessageIDs: RPC_MESSAGES_MAX,
      maxIwantMessageIDs: RPC_MESSAGES_MAX,
      // What gossipsub itself takes from one peer within a heartbeat.
      maxIdontwantMessageIDs: 512,
      // What the specification lets a PRUNE recommend; nothing is done with them.
      maxPeerInfos: 16
    },
    ...(metrics === undefined
      ? {}
      : {
          metricsRegister: metrics,
          metricsTopicStrToLabel: new Map(namespaces.map((namespace) => [topicOf(namespace), namespace]))
        }),
    // A second stream replaces the first, so more than two at a time have no use.
    maxInboundStreams: 2,
    maxOutboundStreams: 2
  }
}

function isRouter(router: GossipSub): router is GossipRouter {
  const has = (name: string): boolean => typeof Reflect.get(router, name) === 'function'
  const streams: unknown = Reflect.get(router, 'streamsOutbound')
  const topics: unknown = Reflect.get(router, 'allowedTopics')
  const hasTopics = topics instanceof Set && has('getMeshPeers')
  return hasTopics && has('getScore') && has('reportMessageValidationResult') && streams instanceof Map
}

/** The topic, a zero byte (which no topic holds), the message. */
function messageIdInput(topic: string, data: Uint8Array): Uint8Array {
  return concat(utf8(topic), Uint8Array.of(0), data)
}
