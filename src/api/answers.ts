import { z } from 'zod'
import { KEY_STATUSES } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'

// What is checked here came out of JSON.parse, which makes nothing else than JSON values.
const jsonObject = z.looseObject({}) as unknown as z.ZodType<JsonObject>

/** `GET /health`; with the status 503 `reasons` say what is wrong. */
export const health = z
  .object({
    status: z.enum(['ok', 'failing']),
    did: z.string(),
    peerId: z.string().nullable().describe('`null` when the node runs without a mesh.'),
    version: z.string(),
    uptimeMs: z.number(),
    logSeq: z.int(),
    reasons: z.array(z.string()).readonly().describe('What is wrong.').exactOptional()
  })
  .meta({ id: 'Health' })
export type Health = z.output<typeof health>

export const loggedEvent = z
  .object({
    logSeq: z.int().describe('Its position in the log of this node.'),
    scope: z.enum(['shared', 'local']),
    id: z.string().nullable().describe('The SHA-256 of the canonical bytes; `null` of a local event.'),
    bytes: z.string().describe('As it was received and is served to others, base64url.'),
    event: jsonObject.describe('The envelope of a shared event; of a local one its type, time and body.')
  })
  .meta({ id: 'LoggedEvent' })
export type LoggedEventAnswer = z.output<typeof loggedEvent>

/** `GET /v1/events`; pages end early as those of projections do. */
export const eventsPage = z
  .object({
    events: z.array(loggedEvent).readonly(),
    next: z
      .int()
      .nullable()
      .describe('The `after` of the next page. Go on while there is one, also from a page without events.')
  })
  .meta({ id: 'EventsPage' })
export type EventsPage = z.output<typeof eventsPage>

/** `GET /v1/digest`: what two nodes compare. */
export const digest = z
  .object({
    namespace: z.string(),
    logSeq: z.int(),
    count: z.int().describe('How many events of the namespace the log holds.'),
    membershipDigest: z
      .string()
      .describe('Over the members of the namespace: equal sets are expected where it is equal.'),
    events: z.string().describe('Over the sorted tips: equal for equal sets of events.'),
    state: z.string().describe('Over what follows from the events and the membership alone.'),
    projections: z.record(z.string(), z.string()),
    winners: z
      .object({ digest: z.string(), policyDigest: z.string(), verdictSetDigest: z.string() })
      .describe('`digest` can be compared where both others are equal.')
  })
  .meta({ id: 'Digest' })
export type DigestAnswer = z.output<typeof digest>

/** `GET /v1/federation/node`: who this node is, and the keys that its signatures are checked with. */
export const nodeDocument = z
  .object({
    did: z.string(),
    peerId: z.string().nullable().describe('`null` when the node runs without a mesh.'),
    orgId: z.string(),
    keys: z.array(z.object({ kid: z.string(), publicKey: z.string(), status: z.enum(KEY_STATUSES) })).readonly(),
    protocols: z.array(z.string()).readonly(),
    checkpointKey: z.string().describe('The verifier key of its checkpoints (C2SP signed note).')
  })
  .meta({ id: 'NodeDocument' })
export type NodeDocument = z.output<typeof nodeDocument>

/** `GET /v1/receipts/{leafHash}/proof`: the content of a proof file, and how the receipt stands. */
export const receiptProofDocument = z
  .object({
    namespace: z.string(),
    owner: z.string(),
    batchId: z.string(),
    batchRoot: z.string(),
    leafHash: z.string(),
    index: z.int(),
    standing: z.enum(['proven', 'unproven']),
    reason: z.string(),
    provenTime: z.int().nullable().describe('By when it existed, milliseconds since 1970; `null` unless proven.'),
    chainId: z.string().nullable(),
    proof: z.string().describe('The file (proof/v1): canonical JSON, that anybody can check without this node.')
  })
  .meta({ id: 'ReceiptProof' })
