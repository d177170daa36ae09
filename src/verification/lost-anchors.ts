import { BoundedMap } from '../platform/bounded-map.ts'
import type { TimestampAnchorRow } from '../projections/timestamp-anchors.ts'
import type { Finding } from '../timestamps/verdict.ts'

// A warning names one and counts the others; a reorganisation that takes more than this fills every page of query.
const LOST_KEPT = 1_000

/** A timestamp anchor that counted, and no longer holds. */
interface LostAnchor {
  readonly batchId: string
  readonly namespace: string
  readonly chainId: string
  readonly outcome: string
  readonly isOwn: boolean
}

/**
 * What was verified and no longer holds, since the start: a block that was left behind, roots that are gone from policy.
 * The log has every verdict; this is for the operator's eye.
 */
export class LostAnchors {
  readonly #lost = new BoundedMap<string, LostAnchor>(LOST_KEPT)

  /** Takes a new verdict on the row, as it was before; `self` is the DID that this node announces as. */
  judged(key: string, row: TimestampAnchorRow, { outcome, code }: Finding, self: string): void {
    if (outcome === 'verified') this.#lost.delete(key)
    const known = this.#lost.get(key)
    if (outcome === 'verified' || (row.status !== 'verified' && known === undefined)) return
    const { batchId, namespace, chainId, announcements } = row
    const isOwn = announcements.some(({ signer }) => signer === self)
    this.#lost.set(key, { batchId, namespace, chainId, outcome: code ?? outcome, isOwn })
  }

  /** One sentence for what this node announced itself, and one for what others did. */
  warnings(): readonly string[] {
    const all = [...this.#lost.values()]
    return [
      ...warningOf(
        all.filter(({ isOwn }) => isOwn),
        'that this node announced',
        (lost) =>
          `once it is invalid, anchormesh anchor --namespace ${lost.namespace} --batch ${lost.batchId} makes it anew`
      ),
      ...warningOf(
        all.filter(({ isOwn }) => !isOwn),
        'of others',
        () => 'anchormesh verify-online lists what does not hold'
      )
    ]
  }
}

function warningOf(
  lost: readonly LostAnchor[],
  whose: string,
  whatToDo: (last: LostAnchor) => string
): readonly string[] {
  const last = lost.at(-1)
  if (last === undefined) return []
  const { batchId, namespace, chainId, outcome } = last
  const others = lost.length === 1 ? '' : `, and ${lost.length - 1} more`
  return [
    `evidence ${whose} no longer holds: batch ${batchId} of ${namespace} on ${chainId} (${outcome})${others}; ${whatToDo(last)}`
  ]
}
