import type { DecodedPage, ProvenLeaf } from '../../protocols/bundle/v1/page.ts'
import { provenLeaves } from '../../protocols/bundle/v1/page.ts'
import type { BundleRequest, Place, Want } from '../../protocols/bundle/v1/request.ts'

/** What was asked for in one batch: its leaves from some places on, under the root and count that its owner announced. */
export interface AskedBatch {
  /** Of one batch, ascending and apart. */
  readonly wants: readonly Want[]
  readonly receiptCount: number
}

export type PageCheck =
  | {
      readonly ok: true
      /** Ascending; all of them stand under the batch's root. */
      readonly leaves: readonly ProvenLeaf[]
      /** The first index that was asked for and not answered; null where the server has said all that it can. */
      readonly goOnAt: number | null
    }
  | { readonly ok: false; readonly code: 'lied' | 'other-count'; readonly detail: string }

/**
 * Whether a page answers this request for leaves of one batch (SPEC BU-13 to BU-16). Its signature is checked apart.
 * Nothing of a page that fails may be kept.
 */
export function checkPage(
  { page }: DecodedPage,
  request: BundleRequest,
  requestHash: string,
  { wants, receiptCount }: AskedBatch
): PageCheck {
  // [REJECT] BU-13: the answer to this request, by the one that was asked.
  if (page.request !== requestHash) return wrong('the page answers another request')
  if (page.signer !== request.audience) return wrong(`the page is by ${page.signer}`)
  if (page.audience !== request.signer || page.namespace !== request.namespace)
    return wrong('the page is for somebody else, or of another namespace')
  const leaves: ProvenLeaf[] = []
  let behind = 0
  for (const part of page.parts) {
    // [REJECT] BU-16: within what was asked for, in its order.
    const end = part.from + part.leaves.length
    const want = wants.find(({ from, to }) => from <= part.from && end <= to)
    if (want === undefined || part.from < behind || !isSameBatch(want, part))
      return wrong(`leaves ${part.from} to ${end} were not asked for`)
    // [REJECT] BU-14. No lie: of an owner that announced two counts one node may have heard one, another both.
    if (part.receiptCount !== receiptCount)
      return { ok: false, code: 'other-count', detail: `receiptCount ${part.receiptCount}, not ${receiptCount}` }
    // [REJECT] BU-14, BU-15: under the root that the owner announced.
    const proven = provenLeaves(part, receiptCount)
    if (!proven.ok) return wrong(proven.detail)
    leaves.push(...proven.leaves)
    behind = end
  }
  const { next } = page
  if (next === null) return { ok: true, leaves, goOnAt: null }
  // [REJECT] BU-16: behind the page, or asking would never end.
  const within = wants.some((want) => isSameBatch(want, next) && want.from <= next.index && next.index < want.to)
  if (!within || next.index < behind || leaves.length === 0) return wrong('next is not a place behind the page')
  return { ok: true, leaves, goOnAt: next.index }
}

function isSameBatch(want: Want, other: Pick<Place, 'owner' | 'batchId' | 'batchRoot'>): boolean {
  return want.owner === other.owner && want.batchId === other.batchId && want.batchRoot === other.batchRoot
}

function wrong(detail: string) {
  return { ok: false, code: 'lied', detail } as const
}
