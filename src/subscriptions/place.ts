import { AnchormeshError } from '../platform/errors.ts'
import { decodeCursor, encodeCursor } from '../projections/cursor.ts'

/** What a subscriber has: the rows of a generation at a position; of a snapshot only those up to a key. */
export interface Place {
  readonly logSeq: number
  readonly generation: number
  /** The last key that came; `null` where all did. */
  readonly after: string | null
}

/** Of what a place is one. */
export interface PlaceContext {
  readonly epoch: string
  readonly projection: string
  /** The digest of the view. */
  readonly view: string
}

export function encodePlace({ epoch, projection, view }: PlaceContext, { logSeq, generation, after }: Place): string {
  return encodeCursor({ kind: 'subscription', epoch, projection, view, logSeq, generation, after })
}

/** The positions that a place can have now. */
export interface PlaceBounds {
  readonly oldest: number
  /** Of the log: a projection that lost its last writes in a crash comes to the cursor again. */
  readonly head: number
}

/**
 * Throws `QUERY_INVALID`, `CURSOR_FOREIGN` (with the `epoch` of now) and, beyond the head, `CURSOR_FUTURE`, these with the
 * `oldest` position.
 */
export function decodePlace(
  { epoch, projection, view }: PlaceContext,
  { oldest, head }: PlaceBounds,
  cursor: string
): Place {
  const content = decodeCursor(cursor, { kind: 'subscription', epoch, projection, oldest })
  const { logSeq, generation, after } = content
  if (content.view !== view) {
    throw new AnchormeshError('CURSOR_FOREIGN', 'the cursor is of another namespace, or of others that may be seen', {
      hint: 'start without a cursor',
      detail: { epoch, oldest }
    })
  }
  if (logSeq > head) {
    throw new AnchormeshError('CURSOR_FUTURE', `the cursor is of position ${logSeq}; the log ends at ${head}`, {
      hint: 'start without a cursor',
      detail: { oldest }
    })
  }
  return { logSeq, generation, after }
}
