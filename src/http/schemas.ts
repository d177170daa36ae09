/**
 * The forms of requests and answers of the admin listener as zod schemas: the listener checks requests with them, its
 * client checks answers. Each is tied to the type of `operations.ts`. Those of the public listener are in `src/api`.
 */
import { z } from 'zod'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { TIMESTAMP_ANCHORS_MAX } from '../../protocols/event/v1/announce.ts'
import { eventFilters } from '../api/queries.ts'
import { batchId, integer, namespace } from '../api/values.ts'
import { REASON_CHARACTERS_MAX, RECEIPT_HASH_PATTERN } from '../bundles/receipt-keeper.ts'
import type { NetworkStatus } from '../network/network.ts'
import type {
  AnnounceRequest,
  EventsQuery,
  FetchedBundles,
  ForgetRequest,
  ForgottenReceipt,
  ImportResult,
  LogVerification,
  NodeStatus,
  OnlineQuery,
  PeerSync,
  Published,
  RebuiltProjection,
  ReceiptProof,
  ReceiptsStatus,
  SealedBatch,
  SubmitOutcome,
  SyncResult
} from '../operations.ts'
import { anchoringStatus } from './anchoring-schemas.ts'
import { auditStatus } from './audit-schemas.ts'
import { verificationStatus } from './verification-schemas.ts'

export { digest, eventsPage, health, loggedEvent } from '../api/answers.ts'
export { anyPage as projectionPage } from '../api/pages.ts'
export {
  eventParams,
  eventsPageQuery,
  namespaceQuery,
  noQuery,
  projectionParams,
  projectionQuery
} from '../api/queries.ts'

// What is checked here came out of JSON.parse, which makes nothing else than JSON values.
const jsonObject = z.looseObject({}) as unknown as z.ZodType<JsonObject>

// Query parameters ---------------------------------------------------------------------------------------------------

export const exportQuery = z.strictObject({ namespace: namespace.exactOptional() })
export const batchQuery = z.strictObject({ namespace, batchId })
export const onlineQuery: z.ZodType<OnlineQuery> = z.strictObject({
  namespace: namespace.exactOptional(),
  since: integer(0).exactOptional()
})
export const bundleQuery = z.strictObject({ namespace, batchId: batchId.exactOptional() })

/** `GET /v1/admin/events`: a stream, as long as the log. */
export const eventsStreamQuery: z.ZodType<EventsQuery> = z.strictObject({
  ...eventFilters,
  limit: integer(1).exactOptional(),
  follow: z
    .enum(['true', 'false'], 'is neither true nor false')
    .transform((text) => text === 'true')
    .exactOptional()
})

// Path parameters and bodies -----------------------------------------------------------------------------------------

export const announceRequest: z.ZodType<AnnounceRequest> = z.strictObject({
  namespace,
  batchId,
  timestampAnchors: z.array(jsonObject).max(TIMESTAMP_ANCHORS_MAX)
})

export const forgetRequest: z.ZodType<ForgetRequest> = z.strictObject({
  receipt: z.string().regex(RECEIPT_HASH_PATTERN, 'is no leaf hash'),
  reason: z.string().min(1).max(REASON_CHARACTERS_MAX)
})

// Answers ------------------------------------------------------------------------------------------------------------

/** What is answered with a status below 400; the other outcomes are problems with `outcome` and `id`. */
export const submitOutcome: z.ZodType<SubmitOutcome> = z.union([
  z.object({ outcome: z.enum(['accepted', 'duplicate']), id: z.string(), logSeq: z.int() }),
  z.object({
    outcome: z.enum(['pending', 'ignored', 'rejected']),
    code: z.string(),
    detail: z.string(),
    id: z.string().nullable()
  })
])

export const sealedBatch: z.ZodType<SealedBatch> = z.object({
  namespace: z.string(),
  owner: z.string(),
  batchId: z.string(),
  batchRoot: z.string(),
  receiptCount: z.int(),
  logSeq: z.int()
})

export const receiptProof: z.ZodType<ReceiptProof> = z.object({
  namespace: z.string(),
  owner: z.string(),
  batchId: z.string(),
  batchRoot: z.string(),
  index: z.int(),
  treeSize: z.int(),
  leafHash: z.string(),
  path: z.array(z.string()),
  record: z.string().nullable()
})

export const published: z.ZodType<Published> = z.object({ id: z.string(), logSeq: z.int(), recipients: z.int() })

export const logVerification: z.ZodType<LogVerification> = z.object({
  ok: z.boolean(),
  records: z.int(),
  headHash: z.string(),
  problems: z.array(z.object({ logSeq: z.int().nullable(), problem: z.string() })),
  problemCount: z.int()
})

export const rebuiltProjections: z.ZodType<readonly RebuiltProjection[]> = z.array(
  z.object({
    projection: z.string(),
    version: z.int(),
    logSeq: z.int(),
    rows: z.int(),
    before: z.string(),
    after: z.string(),
    identical: z.boolean()
  })
)

export const importResult: z.ZodType<ImportResult> = z.object({
  read: z.int(),
  accepted: z.int(),
  duplicate: z.int(),
  pending: z.int(),
  refused: z.record(z.string(), z.int())
})

/** `POST /v1/admin/shutdown`: the node stops once this is on its way. */
export const stopping = z.object({ stopping: z.literal(true) })

/** A line of long work that tells how far it is. */
export const progress = z.object({ done: z.number(), total: z.number().nullable(), unit: z.string() })

export const fetchedBundles: z.ZodType<FetchedBundles> = z.object({
  namespace: z.string(),
  batches: z.int(),
  held: z.int(),
  missing: z.int(),
  asked: z.int(),
  failures: z.record(z.string(), z.int())
})

export const forgottenReceipt: z.ZodType<ForgottenReceipt> = z.object({ receipt: z.string(), places: z.int() })

const missingReceipts = { missing: z.int(), batches: z.int(), oldestMs: z.number().nullable() }
const receiptsStatus: z.ZodType<ReceiptsStatus> = z.object({
  ...missingReceipts,
  namespaces: z.array(z.object({ namespace: z.string(), ...missingReceipts })),
  served: z.record(z.string(), z.int())
})

const networkStatus: z.ZodType<NetworkStatus> = z.object({
  peerId: z.string(),
  multiaddrs: z.array(z.string()),
  peers: z.array(
    z.object({
      did: z.string(),
      peerId: z.string(),
      connected: z.boolean(),
      connections: z.array(z.string()),
      score: z.number().exactOptional(),
      nextDialAt: z.number().exactOptional(),
      note: z.string().exactOptional(),
      shutOut: z.literal(true).exactOptional()
    })
  ),
  topics: z.record(z.string(), z.object({ mesh: z.int(), subscribers: z.int() })),
  gossip: z.object({ judged: z.int(), dropped: z.int(), late: z.int(), published: z.int() }),
  refusedConnections: z.int()
})

const peerSync: z.ZodType<PeerSync> = z.object({
  did: z.string(),
  namespace: z.string(),
  isRunning: z.boolean(),
  nextAt: z.number().nullable(),
  last: z
    .object({
      at: z.number(),
      end: z.string(),
      detail: z.string().nullable(),
      rounds: z.int(),
      bytes: z.int(),
      sent: z.int(),
      received: z.int(),
      membershipDiffers: z.boolean()
    })
    .nullable(),
  total: z.object({
    sessions: z.int(),
    rounds: z.int(),
    bytes: z.int(),
    sent: z.int(),
    received: z.int(),
    duplicate: z.int()
  })
})

export const syncQuery = z.strictObject({ namespace, peer: z.string().max(2_048).exactOptional() })

export const syncResults: z.ZodType<readonly SyncResult[]> = z.array(
  z.object({
    did: z.string(),
    namespace: z.string(),
    end: z.string(),
    detail: z.string().nullable(),
    sessions: z.int(),
    rounds: z.int(),
    bytesSent: z.int(),
    bytesReceived: z.int(),
    eventsSent: z.int(),
    eventsAccepted: z.int(),
    eventsDuplicate: z.int(),
    eventsPending: z.int(),
    eventsRefused: z.record(z.string(), z.int()),
    membershipDiffers: z.boolean(),
    tookMs: z.number()
  })
)

export const nodeStatus: z.ZodType<NodeStatus> = z.object({
  did: z.string(),
  orgId: z.string(),
  kid: z.string(),
  version: z.string(),
  startedAt: z.number(),
  uptimeMs: z.number(),
  health: z.object({ ok: z.boolean(), reasons: z.array(z.string()) }),
  warnings: z.array(z.string()),
  log: z.object({
    logSeq: z.int(),
    epoch: z.string(),
    headHash: z.string(),
    storeBytes: z.number(),
    bytesPerEvent: z.number()
  }),
  namespaces: z.array(z.object({ namespace: z.string(), members: z.int(), events: z.int() })),
  projections: z.array(
    z.object({
      name: z.string(),
      version: z.int(),
      logSeq: z.int(),
      state: z.enum(['live', 'catching-up', 'halted']),
      reason: z.string().exactOptional()
    })
  ),
  ingest: z.object({
    outcomes: z.record(z.string(), z.int()),
    signaturesVerified: z.int(),
    pending: z.object({ events: z.int(), bytes: z.int() })
  }),
  verification: verificationStatus,
  audit: auditStatus.nullable(),
  receipts: receiptsStatus,
  findings: z.record(z.string(), z.int()),
  anchoring: anchoringStatus,
  network: networkStatus.nullable(),
  sync: z.array(peerSync)
})
