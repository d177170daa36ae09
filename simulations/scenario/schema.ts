import { z } from 'zod'
import { count, namespace, text } from '../../src/policy/schema-values.ts'
import { duration } from './duration.ts'

/**
 * What a scenario file says. Times in it count from the moment at which all nodes that are there from the start run;
 * every name and default stands here, and `simulations/README.md` explains them.
 */

const share = z.number().min(0, 'is below 0').max(1, 'is above 1')
const notNegative = z.number().min(0, 'is below 0')
const positive = z.number().positive('is not above 0')
const index = z.int().min(0, 'is below 0')
/** What one process carries, at level `gossip`; at `full` it is less (`FULL_NODES_MAX`). */
const NODES_MAX = 1_000
export const FULL_NODES_MAX = 200

/** Milliseconds, drawn for each send. There is no log-normal: its functions differ between processors. */
export const latency = z.union(
  [
    z.strictObject({ constantMs: notNegative }),
    z.strictObject({ uniformMs: z.tuple([notNegative, notNegative]) }),
    /** The least, the likeliest and the most. */
    z.strictObject({ triangularMs: z.tuple([notNegative, notNegative, notNegative]) }),
    /** Quantiles at equal steps from the least to the most, straight lines between them: any measured distribution. */
    z.strictObject({
      quantilesMs: z.array(notNegative).min(2, 'holds fewer than 2').max(1_001, 'holds more than 1001')
    })
  ],
  'is none of { constantMs: MS }, { uniformMs: [LEAST, MOST] }, { triangularMs: [LEAST, LIKELIEST, MOST] }, { quantilesMs: [MS, …] }, where MS is a number without a unit'
)

const linkFields = {
  latency,
  bandwidthMbps: positive,
  loss: share,
  /** Of frames: twice on the wire. At level `gossip` they arrive twice, at `full` TCP hides it and it costs bandwidth. */
  duplicate: share,
  /** Of frames: later than those after them. At level `gossip` they arrive so, at `full` those after them wait. */
  reorder: share
}

/** One direction of every link, unless a matrix says otherwise. */
export const linkSchema = z.strictObject({
  latency: latency.default({ triangularMs: [10, 30, 120] }),
  bandwidthMbps: positive.default(100),
  loss: share.default(0),
  duplicate: share.default(0),
  reorder: share.default(0)
})

const topologySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['full', 'ring', 'star']) }),
  z.strictObject({ kind: z.literal('random'), degree: count(1, 64) }),
  /** Nodes of one organisation all know each other, and `bridges` links lead from each organisation to the others. */
  z.strictObject({ kind: z.literal('organisations'), bridges: count(1, 64) }),
  /** CSV with the columns `from,to` (numbers of nodes); each line is an address that `from` can dial. */
  z.strictObject({ kind: z.literal('file'), path: text })
])

/** Nodes by number (0, 1, …), by organisation, or a share of all, drawn from the seed. */
const selectionSchema = z.union(
  [
    z.literal('all'),
    z.strictObject({ nodes: z.array(index).min(1, 'is empty') }),
    z.strictObject({ organisations: z.array(index).min(1, 'is empty') }),
    z.strictObject({ share }),
    z.strictObject({ count: count(1, NODES_MAX) })
  ],
  'is none of all, { nodes: [NUMBER, …] }, { organisations: [NUMBER, …] }, { share: PART }, { count: NUMBER }; nodes are numbered from 0'
)

/** Of what is done to nodes or links; `until` is when it is undone. */
const during = { at: duration, until: duration.optional() }
const repeated = { every: duration.optional(), times: count(1, 100_000).default(1) }

const partitionGroups = z.union(
  [
    z.literal('halves'),
    z.strictObject({ isolate: selectionSchema }),
    /** Shares of the nodes, which together are one. */
    z.strictObject({ shares: z.array(share).min(2, 'holds fewer than 2') }),
    /** Those of organisations that stand in no group are a group, too. */
    z.strictObject({ organisations: z.array(z.array(index).min(1, 'is empty')).min(1, 'is empty') }),
    /** Each node of the selection is cut off in its turn for `each`. */
    z.strictObject({ rolling: selectionSchema, each: duration })
  ],
  'is none of halves, { isolate: NODES }, { shares: [PART, …] }, { organisations: [[NUMBER, …], …] }, { rolling: NODES, each: TIME }'
)

export const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('partition'), groups: partitionGroups, at: duration, until: duration }),
  z.strictObject({
    kind: z.literal('cut'),
    from: selectionSchema,
    to: selectionSchema,
    oneWay: z.boolean().default(true),
    ...during,
    ...repeated
  }),
  z.strictObject({
    kind: z.literal('links'),
    from: selectionSchema,
    to: selectionSchema,
    /** What of the links is different meanwhile. */
    link: z.strictObject(linkFields).partial(),
    ...during
  }),
  z.strictObject({ kind: z.literal('pause'), nodes: selectionSchema, at: duration, for: duration, ...repeated }),
  z.strictObject({
    kind: z.literal('crash'),
    nodes: selectionSchema,
    at: duration,
    /** How long the node is away; left out: for good. */
    for: duration.optional(),
    /** With its power a machine loses what it has not synced, and its peers are not told. */
    power: z.boolean().default(true),
    ...repeated
  }),
  z.strictObject({
    kind: z.literal('stop'),
    nodes: selectionSchema,
    at: duration,
    for: duration.optional(),
    ...repeated
  }),
  z.strictObject({ kind: z.literal('disk-full'), nodes: selectionSchema, ...during }),
  z.strictObject({ kind: z.literal('slow-disk'), nodes: selectionSchema, syncMs: latency, ...during }),
  z.strictObject({ kind: z.literal('lose-disk'), nodes: selectionSchema, at: duration, for: duration }),
  z.strictObject({
    kind: z.literal('clock'),
    nodes: selectionSchema,
    skewMs: z.number().default(0),
    driftPpm: z.number().default(0),
    at: duration
  }),
  z.strictObject({ kind: z.literal('reorganise'), chain: text, depth: count(1, 1_000), at: duration }),
  z.strictObject({ kind: z.literal('chain-away'), chain: text, nodes: selectionSchema.default('all'), ...during }),
  z.strictObject({ kind: z.literal('revoke'), node: index, at: duration }),
  z.strictObject({
    kind: z.literal('join'),
    nodes: selectionSchema,
    at: duration,
    /** A new organisation is new to the others' policies, too. */
    policy: z.boolean().default(false)
  })
])

export const byzantineSchema = z.strictObject({
  kind: z.enum([
    'equivocate',
    'lie-in-sync',
    'withhold',
    'replay',
    'spam',
    'flood',
    'mute-sybils',
    'backdate',
    'keep-back',
    'false-packs'
  ]),
  nodes: selectionSchema,
  at: duration.default(0),
  until: duration.optional(),
  perSecond: positive.max(10_000, 'is above 10000').default(1)
})

export const workloadSchema = z.discriminatedUnion('kind', [
  /** Batches that are sealed and announced. */
  z.strictObject({
    kind: z.literal('announce'),
    by: selectionSchema.default('all'),
    perSecond: positive.max(10_000, 'is above 10000'),
    from: duration.default(0),
    until: duration,
    namespace: namespace.optional(),
    receipts: count(1, 1_000).default(1),
    /** Evidence on these scripted chains is announced when it is there. */
    chains: z.array(text).default([]),
    /** The same batch ids on every node, so that batches meet. */
    contended: z.boolean().default(false)
  }),
  /** Events that are there from the start on the selected nodes, before anything runs. */
  z.strictObject({
    kind: z.literal('history'),
    on: selectionSchema,
    events: count(1, 1_000_000),
    namespace: namespace.optional()
  }),
  /** One of a module's own. */
  z.strictObject({ kind: z.literal('own'), name: text, options: z.record(z.string(), z.json()).default({}) })
])

const chainSchema = z.strictObject({
  /** As in announces: `btc:sim`, `eip155:1`, `rfc3161:sim`. */
  chainId: text,
  blockEvery: duration.default(600_000_000),
  finalityDepth: count(0, 1_000).default(6)
})

export const scenarioSchema = z.strictObject({
  v: z.literal(1),
  name: text.regex(/^[a-z0-9-]+$/, 'is not a name (lower-case letters, digits and -)'),
  /** The question, in a sentence. */
  asks: text,
  level: z.enum(['full', 'gossip']).default('full'),
  nodes: count(1, NODES_MAX),
  /** Nodes are dealt to them in turn; by default each has its own. */
  organisations: count(1, NODES_MAX).optional(),
  /** Those that do not run from the start; `join` starts them. */
  late: selectionSchema.optional(),
  namespaces: z.array(namespace).min(1).default(['sim:main']),
  quorum: z.strictObject({ k: count(1, NODES_MAX), of: selectionSchema.default('all') }).optional(),
  topology: topologySchema.default({ kind: 'random', degree: 8 }),
  link: linkSchema.prefault({}),
  /** CSV with the columns `from,to,latency_ms` and perhaps `bandwidth_mbps,loss`, by numbers of nodes. */
  linkMatrix: text.optional(),
  /** Of level `full`. */
  encryption: z.enum(['noise', 'plaintext']).default('noise'),
  node: z
    .strictObject({
      syncInterval: duration.default(60_000_000),
      futureSkew: duration.default(120_000_000),
      checkpoint: duration.optional(),
      /** Events a second that a signer may send, and a peer may pass on. */
      perSigner: count(1, 1_000_000).optional(),
      perPeer: count(1, 1_000_000).optional()
    })
    .prefault({}),
  disk: z
    .strictObject({
      syncMs: latency.default({ uniformMs: [1, 5] }),
      /** Of writes under way at a crash: how many of them are cut in the middle. */
      torn: share.default(0.5)
    })
    .prefault({}),
  clocks: z.strictObject({ skewMs: notNegative.default(0), driftPpm: notNegative.default(0) }).prefault({}),
  /** What is switched off, to see what it is for. */
  ablate: z
    .strictObject({
      antiEntropy: z.boolean().default(false),
      gossip: z.boolean().default(false),
      redial: z.boolean().default(false),
      /** Nobody asks for the receipts of others. */
      bundles: z.boolean().default(false)
    })
    .prefault({}),
  /** Nodes of the run share what they found out about a signature: the same verdicts, less work. */
  sharedSignatures: z.boolean().default(true),
  chains: z.array(chainSchema).default([]),
  workload: z.array(workloadSchema).default([]),
  faults: z.array(faultSchema).default([]),
  byzantine: z.array(byzantineSchema).default([]),
  /** Faults are over by then, and everything heals. */
  faultsEnd: duration,
  /** All nodes hold the same within so long of the heal. */
  convergeWithin: duration,
  /** `measured`: that they do not is a finding and no failure, as where something is switched off that it needs. */
  convergence: z.enum(['required', 'measured']).default('required'),
  /** How often what all nodes hold is looked at, for the picture over time. */
  sampleEvery: duration.default(1_000_000),
  /** How often rows are folded afresh and compared, beside the end: in most scenarios twice or more under faults. */
  foldEvery: duration.default(45_000_000)
})

/** A scenario as it was read, with all defaults. Durations are microseconds. */
export type Scenario = z.infer<typeof scenarioSchema>
/** A scenario as it is written. */
export type ScenarioFile = z.input<typeof scenarioSchema>
export type Selection = z.infer<typeof selectionSchema>
export type Fault = z.infer<typeof faultSchema>
export type Byzantine = z.infer<typeof byzantineSchema>
export type Workload = z.infer<typeof workloadSchema>
export type LatencyRule = z.infer<typeof latency>
export type LinkRule = z.infer<typeof linkSchema>
export type ChainRule = z.infer<typeof chainSchema>
export type Topology = z.infer<typeof topologySchema>
