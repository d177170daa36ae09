import type { z } from 'zod'
import {
  anchoringRow,
  attestationRow,
  batchRow,
  receiptRow,
  timestampAnchorRow,
  trustAnchorRow,
  winnerRow
} from './batch-rows.ts'
import { checkpointRow, effectRow, equivocationRow, sequenceRow } from './chain-rows.ts'

/** The rows of each projection, as queries and subscriptions show them. */
export const rowSchemas = {
  batches: batchRow,
  receipts: receiptRow,
  'timestamp-anchors': timestampAnchorRow,
  'trust-anchors': trustAnchorRow,
  winners: winnerRow,
  attestations: attestationRow,
  sequences: sequenceRow,
  equivocations: equivocationRow,
  effects: effectRow,
  anchorings: anchoringRow,
  checkpoints: checkpointRow
} as const

/** The projections of this release. */
export type ProjectionName = keyof typeof rowSchemas

/** A row of a projection. */
export type RowOf<Name extends ProjectionName> = z.output<(typeof rowSchemas)[Name]>

/** Every projection's name. */
export const PROJECTION_NAMES = Object.keys(rowSchemas) as [ProjectionName, ...ProjectionName[]]
