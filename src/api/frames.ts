import { z } from 'zod'

/**
 * The frames of a subscription, the same over Server-Sent Events (one `data:` each) and WebSocket (one text message
 * each). First all rows (`snapshot`), or what changed after the cursor (`change`); then `caught-up`; then each `change` as
 * it comes. `protocols/subscription/v1` has the rules.
 */

const row = z.looseObject({})

/** On every frame. */
const place = {
  /** The position that the frame is true at. */
  logSeq: z.int().min(0),
  /** Where to go on after this frame; exclusive, opaque, of this node and this epoch. `null` where there is none yet. */
  cursor: z.string().nullable()
}

export const frame = z.discriminatedUnion('frame', [
  /** A row as it is, on the way to `caught-up`. */
  z.object({ frame: z.literal('snapshot'), ...place, key: z.string(), row }),
  /** A row as it is after a change; `null`: it is gone. */
  z.object({ frame: z.literal('change'), ...place, key: z.string(), row: row.nullable() }),
  /** After a `change` of `winners`: the batch has another winner than the reader knew. */
  z.object({
    frame: z.literal('winner-changed'),
    ...place,
    key: z.string(),
    previous: row.nullable(),
    winner: row.nullable(),
    cause: z.enum(['first', 'displaced', 'withdrawn']),
    rule: z.string().nullable()
  }),
  /** What came up to here is all that there was when it was sent; from now on changes come as they happen. */
  z.object({ frame: z.literal('caught-up'), ...place }),
  /** Nothing for this reader up to `logSeq`: a newer cursor to keep. */
  z.object({ frame: z.literal('checkpoint'), ...place }),
  /** Every 15 s in which nothing else was sent. */
  z.object({ frame: z.literal('keep-alive'), ...place }),
  /** The last frame: why the subscription ends. `retryable`: the same cursor may be used again. */
  z.object({
    frame: z.literal('error'),
    ...place,
    code: z.string(),
    detail: z.string(),
    retryable: z.boolean(),
    oldest: z.int().exactOptional()
  }),
  /** Last frames with names of their own. */
  z.object({
    frame: z.enum(['consumer-too-slow', 'cursor-too-old', 'cursor-foreign', 'cursor-future']),
    ...place,
    detail: z.string(),
    /** The oldest position that a cursor may have. */
    oldest: z.int().exactOptional(),
    /** Of `cursor-foreign`: the epoch of the log that is there now. */
    epoch: z.string().exactOptional()
  })
])

/** One frame of a subscription. */
export type Frame = z.output<typeof frame>
