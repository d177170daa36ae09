import { z } from 'zod'
import { feedbackRow, findingRow } from '../api/tenant-rows.ts'
import type { ProjectionPage } from '../projections/query.ts'
import { PAGING } from './query-docs.ts'
import { NOT_MODIFIED, documented } from './route-docs.ts'
import { SIGNED_CODES, signedBody } from './signed-docs.ts'
import * as schemas from './tenant-schemas.ts'

const OF_FOLDS = ['NOT_YET', 'PROJECTION_HALTED', 'STATE_OUTDATED'] as const
/** What a signed report is refused with. */
const REPORT_CODES = [...SIGNED_CODES, 'MAPPING_VIOLATION', 'REPLAY', 'STORE_FULL', 'PROJECTION_HALTED'] as const

/** The members of `signed` are those of the protocol. */
const reportBody = (protocol: string) => signedBody(z.looseObject({}).describe(`What ${protocol} says.`))

/** The schemas of answers are documentation: that rows are of this form is for the folds to see to. */
const pageOf = (row: z.ZodType) =>
  z.object({
    projection: z.string(),
    version: z.int(),
    epoch: z.string(),
    logSeq: z.int(),
    rows: z.array(row),
    nextCursor: z.string().nullable()
  }) as unknown as z.ZodType<ProjectionPage>

export const FINDINGS_DOCS = documented({
  summary: 'Findings of a tenant',
  description: `As feedback left them, in the order of their ids. ${PAGING}`,
  tag: 'tenants',
  access: 'reader',
  answers: { 200: pageOf(findingRow) },
  empty: NOT_MODIFIED,
  problems: [...OF_FOLDS, 'CURSOR_FOREIGN']
})

export const FINDING_DOCS = documented({
  summary: 'One finding of a tenant',
  description: 'With what its report said beside what it is judged by; `report` is null where that was erased.',
  tag: 'tenants',
  access: 'reader',
  answers: { 200: schemas.findingView },
  empty: NOT_MODIFIED,
  problems: [...OF_FOLDS]
})

export const FEEDBACK_DOCS = documented({
  summary: 'Feedback on findings of a tenant',
  description: `Each finding's in the order in which it was applied; \`comment\` is null where there is none any more. ${PAGING}`,
  tag: 'tenants',
  access: 'reader',
  answers: { 200: pageOf(feedbackRow.extend({ comment: z.string().nullable() })) },
  empty: NOT_MODIFIED,
  problems: [...OF_FOLDS, 'CURSOR_FOREIGN']
})

export const TELEMETRY_DOCS = documented({
  summary: 'Takes a report of an execution',
  description: 'Signed by a key of the tenant (protocols/telemetry/v1). It is durable when it is answered.',
  tag: 'tenants',
  access: 'anyone',
  answers: { 201: schemas.telemetryAnswer },
  body: reportBody('protocols/telemetry/v1'),
  problems: [...REPORT_CODES, 'ATTESTATION_DENIED', 'FINDING_EXISTS']
})

export const JUDGE_DOCS = documented({
  summary: 'Takes feedback on a finding',
  description: 'Signed (protocols/feedback/v1), and bound to the execution that the finding came from.',
  tag: 'tenants',
  access: 'anyone',
  answers: { 201: schemas.feedbackAnswer },
  body: reportBody('protocols/feedback/v1'),
  problems: [...REPORT_CODES, 'FINDING_UNKNOWN']
})
