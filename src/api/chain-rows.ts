import { z } from 'zod'

const chain = { namespace: z.string(), signer: z.string(), kid: z.string() }
const time = z.int().describe('Milliseconds since 1970.')

/** How far a chain has come. */
const chainRow = z
  .object({
    ...chain,
    tips: z
      .array(z.object({ authorSeq: z.int(), id: z.string() }))
      .readonly()
      .describe('Events that none follows, sorted by id; the first 64.'),
    forked: z.boolean(),
    events: z.int()
  })
  .meta({ id: 'ChainRow' })

/** How far the packs of an organisation have come. */
const packHeadRow = z
  .object({
    namespace: z.literal('_trust'),
    orgId: z.string(),
    packSeq: z.int(),
    packHash: z.string().nullable(),
    frozen: z.boolean().describe('Two valid packs stand at one number.')
  })
  .meta({ id: 'PackHeadRow' })

/** Of `sequences`: the chains, and in `_trust` also the packs of each organisation. */
export const sequenceRow = z.union([chainRow, packHeadRow])

/** A position of a chain at which a key signed different events. */
export const equivocationRow = z
  .object({
    ...chain,
    authorSeq: z.int(),
    events: z.array(z.string()).readonly().describe('Ids, ascending; the smallest eight.'),
    count: z.int()
  })
  .meta({ id: 'EquivocationRow' })

/** An event that was admitted but has no effect. */
export const effectRow = z
  .object({
    namespace: z.string(),
    eventId: z.string(),
    type: z.string(),
    signer: z.string(),
    kid: z.string(),
    authorSeq: z.int(),
    effect: z.string().describe('The code.'),
    detail: z.string()
  })
  .meta({ id: 'EffectRow' })

/** The newest checkpoint of a log under a key. */
export const checkpointRow = z
  .object({
    signer: z.string(),
    kid: z.string(),
    epoch: z.string(),
    size: z.int(),
    root: z.string(),
    eventId: z.string(),
    authorSeq: z.int(),
    ts: time,
    checkpoints: z.int().describe('How many there are.'),
    unlinked: z.int().describe('How many were not judged, because one before them is not held here.'),
    restoredFrom: z
      .object({ epoch: z.string(), size: z.int(), event: z.string(), authorSeq: z.int() })
      .nullable()
      .describe('What the newest restore went on from.'),
    alarm: z
      .object({
        code: z.enum(['LOG_ROLLED_BACK', 'LOG_REWRITTEN', 'LOG_FORKED', 'EPOCH_UNEXPLAINED']),
        event: z.string(),
        against: z.string(),
        authorSeq: z.int().nullable()
      })
      .nullable()
      .describe('A checkpoint that contradicts another of the same log; both events are the evidence.')
  })
  .meta({ id: 'CheckpointRow' })
