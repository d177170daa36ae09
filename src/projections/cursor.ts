import { fromBase64url, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** What a cursor holds: the log's epoch, the projection, and where to go on. Opaque to those who keep it. */
export type CursorContent =
  | { readonly kind: 'page'; readonly epoch: string; readonly projection: string; readonly after: string }
  /** `generation`: of the rows that its keeper knows; they may have been folded anew in a way that no change tells. */
  | {
      readonly kind: 'changes'
      readonly epoch: string
      readonly projection: string
      readonly logSeq: number
      readonly generation: number
    }
  /**
   * Where a subscription goes on: `view` names which rows it shows, `after` is the last key that its keeper has of a
   * snapshot, `null` where it has all.
   */
  | {
      readonly kind: 'subscription'
      readonly epoch: string
      readonly projection: string
      readonly view: string
      readonly logSeq: number
      readonly generation: number
      readonly after: string | null
    }

export function encodeCursor(content: CursorContent): string {
  const { kind, epoch, projection } = content
  return toBase64url(utf8(JSON.stringify([kind, epoch, projection, ...placeOf(content)])))
}

function placeOf(content: CursorContent): readonly unknown[] {
  if (content.kind === 'page') return [content.after]
  const { logSeq, generation } = content
  return content.kind === 'changes' ? [logSeq, generation] : [content.view, logSeq, generation, content.after]
}

/**
 * Throws `QUERY_INVALID` for what is no cursor, `CURSOR_FOREIGN` for one of another log or projection, with the `epoch`
 * of now and, where one is given, the `oldest` position that a cursor may have.
 */
export function decodeCursor<Kind extends CursorContent['kind']>(
  text: string,
  expected: { readonly kind: Kind; readonly epoch: string; readonly projection: string; readonly oldest?: number }
): Extract<CursorContent, { kind: Kind }> {
  const fields = parse(text)
  if (fields === null || fields[0] !== expected.kind)
    throw new AnchormeshError('QUERY_INVALID', 'the cursor is none of this query')
  const [kind, epoch, projection, ...place] = fields
  if (epoch !== expected.epoch || projection !== expected.projection) {
    throw new AnchormeshError('CURSOR_FOREIGN', `the cursor is of epoch ${epoch} and projection ${projection}`, {
      hint: 'start without a cursor',
      detail: {
        epoch: expected.epoch,
        ...(expected.oldest === undefined ? {} : { oldest: expected.oldest })
      }
    })
  }
  return { kind, epoch, projection, ...namedPlace(kind, place) } as unknown as Extract<CursorContent, { kind: Kind }>
}

function namedPlace(kind: string, place: readonly unknown[]): object {
  if (kind === 'page') return { after: place[0] }
  if (kind === 'changes') return { logSeq: place[0], generation: place[1] }
  return { view: place[0], logSeq: place[1], generation: place[2], after: place[3] }
}

type Fields = [kind: string, epoch: string, projection: string, ...place: unknown[]]

function parse(text: string): Fields | null {
  const bytes = fromBase64url(text)
  if (bytes === null) return null
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (!Array.isArray(value)) return null
    const [kind, epoch, projection, ...place] = value as unknown[]
    const named = typeof kind === 'string' && typeof epoch === 'string' && typeof projection === 'string'
    return named && isPlace(kind, place) ? [kind, epoch, projection, ...place] : null
  } catch {
    // What does not parse was never a cursor of ours.
    return null
  }
}

function isPlace(kind: string, place: readonly unknown[]): boolean {
  if (kind === 'page') return place.length === 1 && typeof place[0] === 'string'
  if (kind === 'changes') return place.length === 2 && place.every(isCount)
  const [view, logSeq, generation, after] = place
  const isSubscription = kind === 'subscription' && place.length === 4 && typeof view === 'string'
  return isSubscription && isCount(logSeq) && isCount(generation) && (after === null || typeof after === 'string')
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
