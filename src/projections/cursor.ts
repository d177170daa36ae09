import { fromBase64url, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** What a cursor holds: the log's epoch, the projection, and where to go on. Opaque to those who keep it. */
export type CursorContent =
  | { readonly kind: 'page'; readonly epoch: string; readonly projection: string; readonly after: string }
  | { readonly kind: 'changes'; readonly epoch: string; readonly projection: string; readonly logSeq: number }

export function encodeCursor(content: CursorContent): string {
  const { kind, epoch, projection } = content
  return toBase64url(utf8(JSON.stringify([kind, epoch, projection, kind === 'page' ? content.after : content.logSeq])))
}

/** Throws `QUERY_INVALID` for what is no cursor, `CURSOR_FOREIGN` for one of another log or projection. */
export function decodeCursor<Kind extends CursorContent['kind']>(
  text: string,
  expected: { readonly kind: Kind; readonly epoch: string; readonly projection: string }
): Extract<CursorContent, { kind: Kind }> {
  const fields = parse(text)
  if (fields === null || fields[0] !== expected.kind) throw new AnchormeshError('QUERY_INVALID', 'the cursor is none of this query')
  const [kind, epoch, projection, position] = fields
  if (epoch !== expected.epoch || projection !== expected.projection) {
    throw new AnchormeshError('CURSOR_FOREIGN', `the cursor is of epoch ${epoch} and projection ${projection}`, {
      hint: 'start without a cursor',
      detail: { epoch: expected.epoch }
    })
  }
  const content = kind === 'page' ? { kind, epoch, projection, after: position } : { kind, epoch, projection, logSeq: position }
  return content as Extract<CursorContent, { kind: Kind }>
}

function parse(text: string): [kind: string, epoch: string, projection: string, position: string | number] | null {
  const bytes = fromBase64url(text)
  if (bytes === null) return null
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (!Array.isArray(value) || value.length !== 4) return null
    const [kind, epoch, projection, position] = value as unknown[]
    const named = typeof kind === 'string' && typeof epoch === 'string' && typeof projection === 'string'
    const placed = kind === 'page' ? typeof position === 'string' : kind === 'changes' && Number.isSafeInteger(position)
    return named && placed ? [kind, epoch, projection, position as string | number] : null
  } catch {
    // What does not parse was never a cursor of ours.
    return null
  }
}
