import { describe, expect, it } from 'vitest'
import type { RowOf } from '../../src/api/rows.ts'
import { PROJECTION_NAMES, rowSchemas } from '../../src/api/rows.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { AnchoringRow } from '../../src/projections/anchorings.ts'
import type { AttestationRow } from '../../src/projections/attested.ts'
import type { BatchRow } from '../../src/projections/batches.ts'
import type { CheckpointRow } from '../../src/projections/checkpointed.ts'
import type { ReceiptRow } from '../../src/projections/receipts.ts'
import type { TimestampAnchorRow } from '../../src/projections/timestamp-anchors.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'

/** `true` where each is assignable to the other. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false
/** `true` where what the fold writes is what the schema says; codes are any text to readers. */
type Shown<Row, Schema> = [Row] extends [Schema] ? true : false

/** Checked by the compiler: a column that only one side knows makes one of these `false`. */
const ties: readonly true[] = [
  true satisfies Same<keyof BatchRow, keyof RowOf<'batches'>>,
  true satisfies Shown<BatchRow, RowOf<'batches'>>,
  true satisfies Shown<ReceiptRow, RowOf<'receipts'>>,
  true satisfies Same<
    keyof ReceiptRow,
    Exclude<
      keyof RowOf<'receipts'>,
      'standing' | 'standingReason' | 'provenTime' | 'provenBy' | 'record' | 'proof' | 'evidence'
    >
  >,
  true satisfies Same<keyof TimestampAnchorRow, keyof RowOf<'timestamp-anchors'>>,
  true satisfies Shown<TimestampAnchorRow, RowOf<'timestamp-anchors'>>,
  true satisfies Same<WinnerRow, RowOf<'winners'>>,
  true satisfies Same<AttestationRow, RowOf<'attestations'>>,
  true satisfies Same<AnchoringRow, RowOf<'anchorings'>>,
  true satisfies Same<CheckpointRow, RowOf<'checkpoints'>>
]

describe('the schemas of rows', () => {
  it('are tied to the rows of the folds', () => {
    expect(new Set(ties)).toEqual(new Set([true]))
  })

  it('are there for every projection', () => {
    expect(PROJECTION_NAMES.toSorted()).toEqual(expect.arrayContaining(PROJECTIONS.map(({ name }) => name).toSorted()))
    expect(Object.keys(rowSchemas)).toEqual(PROJECTION_NAMES)
  })
})
