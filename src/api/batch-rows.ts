import { z } from 'zod'
import { KEY_STATUSES } from '../../protocols/event/v1/anchor-pack.ts'

// Answers are not held to the patterns of requests: what a newer release writes into a column must not stop an app.

const time = z.int().describe('Milliseconds since 1970.')
const timeOrNull = z.int().nullable().describe('Milliseconds since 1970.')
const local = (what: string): string => `Local: ${what}`

const batch = { namespace: z.string(), owner: z.string(), batchId: z.string() }
const rootedBatch = { ...batch, batchRoot: z.string() }
const evidence = {
  ...rootedBatch,
  chainId: z.string().describe('`btc:<network>`, `eip155:<chain id>` or `rfc3161:<authority>`.'),
  evidenceId: z.string().describe('The transaction, or the SHA-256 of a token.'),
  evidenceHash: z.string().describe('Over the whole timestamp anchor.')
}

/** Every root that was claimed for a batch. */
export const batchRow = z
  .object({
    ...rootedBatch,
    receiptCount: z.int().nullable().describe('As the owner says it; `null` until the owner announced.'),
    announcements: z
      .array(
        z.object({
          signer: z.string(),
          eventId: z.string(),
          receiptCount: z.int(),
          ts: time,
          byOwner: z.boolean(),
          effect: z.string().nullable().describe('Why it has no effect, or `null`.')
        })
      )
      .readonly()
      .describe('One a signer.'),
    effect: z.string().nullable().describe('Why what was announced does not count; `null` when it does.'),
    receiptsPresent: z.int().describe(local('how many of its receipts this node holds.')),
    receiptsForgotten: z.int().describe(local('how many it was told to forget.')),
    receiptsKnown: z.int().describe(local('of how many leaves it knows the hash.')),
    receiptsSealed: z.int().describe(local('how many it sealed itself: all, or none.')),
    missingSince: timeOrNull.describe(local('since when receipts have been missing here, milliseconds since 1970.'))
  })
  .meta({ id: 'BatchRow' })

/** The way from a leaf to its root (batch/v1). */
export const inclusionProof = z.object({
  index: z.int(),
  treeSize: z.int(),
  path: z.array(z.string()).readonly().describe('Hashes from the leaf up (BAT-8).')
})

/** What won for a receipt's root, and the event that announced it. */
const winningEvidence = z.object({
  chainId: z.string(),
  evidenceId: z.string(),
  evidenceHash: z.string(),
  eventId: z.string().describe('The announce that carries it.'),
  provenTime: time,
  position: z.int().describe('The height of the block; of a token its time.'),
  timestampAnchor: z.looseObject({}).describe('The evidence itself, as it was announced.')
})

/** A leaf that this node knows. All of it is local. */
export const receiptRow = z
  .object({
    ...rootedBatch,
    index: z.int(),
    receiptCount: z.int(),
    leafHash: z.string(),
    checked: z.literal(true).describe('It stands under the root.'),
    status: z.enum(['held', 'forgotten', 'erased']),
    standing: z
      .enum(['proven', 'unproven'])
      .describe('Whether this node holds the root for proven. Not in subscriptions: it is worked out for a page.')
      .exactOptional(),
    standingReason: z.string().exactOptional(),
    provenTime: timeOrNull.describe('By when it existed, milliseconds since 1970.').exactOptional(),
    provenBy: z.string().nullable().describe('The chain of what won.').exactOptional(),
    record: z
      .string()
      .nullable()
      .describe('By `include=record`: the leaf, a salt and the receipt as canonical JSON; `null` where it was erased.')
      .exactOptional(),
    proof: inclusionProof
      .nullable()
      .describe('By `include=proof`; `null` while leaves of the batch are missing here.')
      .exactOptional(),
    evidence: winningEvidence.nullable().describe('By `include=evidence`; `null` unless proven.').exactOptional()
  })
  .meta({ id: 'ReceiptRow' })

/** Evidence that a root existed, and what this node found out about it. */
export const timestampAnchorRow = z
  .object({
    ...evidence,
    announcements: z
      .array(z.object({ signer: z.string(), eventId: z.string() }))
      .readonly()
      .describe('One a signer.'),
    status: z
      .enum(['unverified', 'pending', 'verified', 'invalid', 'unreachable'])
      .describe(local('as the newest verdict has it.')),
    code: z.string().nullable().describe(local('the code of the verdict.')),
    provenTime: timeOrNull.describe(local('milliseconds since 1970; `null` unless verified.')),
    position: z.int().nullable().describe(local('the height of the block; of a token its time.')),
    recheckAt: timeOrNull.describe(local('when it is looked at once more, milliseconds since 1970.')),
    policyDigest: z.string().nullable().describe(local('the policy that the verdict was made under.'))
  })
  .meta({ id: 'TimestampAnchorRow' })

const candidate = {
  chainId: z.string(),
  evidenceId: z.string(),
  evidenceHash: z.string(),
  eventId: z.string().describe('The smallest id among the events that announced it.'),
  provenTime: time,
  position: z.int().describe('The height of the block; of a token its time.'),
  firstSeenLogSeq: z.int().describe(local('where this node first saw it announced.'))
}

/** The winner of each batch. */
export const winnerRow = z
  .object({
    ...batch,
    status: z.enum(['proposed', 'verified', 'settled']),
    batchRoot: z.string().nullable(),
    winner: z.object(candidate).nullable(),
    losers: z
      .array(
        z.object({
          ...candidate,
          batchRoot: z.string(),
          supersededBy: z.string().describe('The evidence hash of the winner.'),
          rule: z
            .enum([
              'rail',
              'chain-id',
              'block-height',
              'gen-time',
              'evidence-id',
              'batch-root',
              'event-id',
              'evidence-hash'
            ])
            .describe('What decided.')
        })
      )
      .readonly()
      .describe('The strongest 64, strongest first.'),
    loserCount: z.int(),
    quorum: z
      .object({
        k: z.int(),
        of: z.int(),
        attested: z.array(z.string()).readonly(),
        contradicting: z.array(z.string()).readonly(),
        missing: z.array(z.string()).readonly()
      })
      .nullable()
      .describe('What the DIDs that policy names say of the winner; `null` without a winner or a quorum.'),
    earliestProvenTime: timeOrNull.describe('Among the winner and all losers, milliseconds since 1970.'),
    firstSeenLogSeq: z.int().nullable().describe(local('where this node first saw the owner announce the batch.')),
    verifiedHere: z.int().describe(local('how much evidence is verified here.'))
  })
  .meta({ id: 'WinnerRow' })

/** What each member says of each piece of evidence. */
export const attestationRow = z
  .object({
    ...evidence,
    signer: z.string(),
    outcome: z.enum(['verified', 'refuted']),
    code: z.string().nullable(),
    provenTime: timeOrNull,
    position: z.int().nullable(),
    finality: z.union([z.object({ depth: z.int() }), z.object({ tag: z.string() })]).nullable(),
    eventId: z.string(),
    kid: z.string(),
    authorSeq: z.int(),
    ts: time,
    statements: z.int().describe('How many the signer has made on this evidence.'),
    standing: z.enum(['agrees', 'contradicts', 'unchecked']).describe(local('against the own verdict.')),
    late: z.boolean().describe(local('came when the quorum was there without it.')),
    firstSeenLogSeq: z.int().describe(local('where this node first saw it.'))
  })
  .meta({ id: 'AttestationRow' })

/** Evidence that this node makes. All of it is local. */
export const anchoringRow = z
  .object({
    ...rootedBatch,
    chainId: z.string(),
    status: z.enum(['planned', 'under-way', 'complete', 'announced', 'failed']),
    attempts: z.int(),
    together: z.array(z.string()).readonly().describe('The chains that are announced in one event.'),
    evidenceId: z.string().nullable(),
    eventId: z.string().nullable(),
    code: z.string().nullable(),
    detail: z.string().nullable(),
    changedAt: time,
    logSeq: z.int()
  })
  .meta({ id: 'AnchoringRow' })

/** A public key of an organisation. */
export const trustAnchorRow = z
  .object({
    orgId: z.string(),
    kid: z.string(),
    publicKey: z.string(),
    status: z.enum(KEY_STATUSES),
    uses: z.array(z.string()).readonly(),
    notBefore: time,
    notAfter: time.exactOptional(),
    retiredAt: time.exactOptional(),
    revokedAt: time.exactOptional(),
    reason: z.string().exactOptional(),
    lastGood: z
      .array(
        z.object({
          signer: z.string(),
          kid: z.string(),
          namespace: z.string(),
          authorSeq: z.int(),
          id: z.string()
        })
      )
      .readonly()
      .describe('Of retired and revoked keys: the last events that count, with all before them.')
      .exactOptional(),
    packSeq: z.int().describe('The pack that said it last.'),
    updatedAt: time
  })
  .meta({ id: 'TrustAnchorRow' })
