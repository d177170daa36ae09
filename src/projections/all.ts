import { anchorings } from './anchorings.ts'
import { attestations } from './attestations.ts'
import { batches } from './batches.ts'
import { checkpoints } from './checkpoints.ts'
import { deliveries } from './deliveries.ts'
import { effects } from './effects.ts'
import { equivocations } from './equivocations.ts'
import { feedback } from './feedback.ts'
import { findings } from './findings.ts'
import type { Projection } from './projection.ts'
import { receipts } from './receipts.ts'
import { sequences } from './sequences.ts'
import { timestampAnchors } from './timestamp-anchors.ts'
import { trustAnchors } from './trust-anchors.ts'
import { winners } from './winners.ts'

/** Every projection of this release. */
export const PROJECTIONS: readonly Projection[] = [
  batches,
  receipts,
  timestampAnchors,
  trustAnchors,
  winners,
  attestations,
  sequences,
  equivocations,
  effects,
  anchorings,
  checkpoints,
  deliveries,
  findings,
  feedback
]
