import { decodeReport } from '../../protocols/drill-report/v1/report.ts'
import type { DrillReport } from '../../protocols/drill-report/v1/report.ts'
import { STEP_OF } from '../../protocols/drill-report/v1/report-shape.ts'
import { pinnedKeys } from '../proofs/node-keys.ts'
import type { TargetPins } from '../proofs/node-keys.ts'
import { isInLog, verifyReceipt } from '../proofs/receipt-check.ts'

/**
 * Why evidence does not count:
 *
 * - `EVIDENCE_MISSING`: there is none, or not all of it
 * - `EVIDENCE_MALFORMED`: it is not of its form, or contradicts itself
 * - `EVIDENCE_ALTERED`: it is not what was signed, or not what the matrix was made of
 * - `NOT_PASSED`: the drill, or a part of it, did not pass
 * - `STALE`, `IN_THE_FUTURE`: of another time
 * - `OTHER_TARGET`: of another target than the targets file has by this name
 * - `PINS_MISSING`: the targets file does not say whose signature it should be
 * - `RECEIPT_INVALID`, `KEY_UNKNOWN`, `INCLUSION_INVALID`, `TIME_INCONSISTENT`: the target did not sign this
 */
export type EvidenceCode =
  | 'EVIDENCE_MISSING'
  | 'EVIDENCE_MALFORMED'
  | 'EVIDENCE_ALTERED'
  | 'NOT_PASSED'
  | 'STALE'
  | 'IN_THE_FUTURE'
  | 'OTHER_TARGET'
  | 'PINS_MISSING'
  | 'RECEIPT_INVALID'
  | 'KEY_UNKNOWN'
  | 'INCLUSION_INVALID'
  | 'TIME_INCONSISTENT'

export interface EvidenceProblem {
  readonly code: EvidenceCode
  /** What it was found in: a member of the report or of `matrix.json`, or a file. */
  readonly field: string
  readonly detail: string
}

/** What is expected of the report of one target. */
export interface ReportExpectation {
  readonly target: string
  readonly baseUrl: string
  readonly remoteNodeId: string
  /** Null where the targets file has none. */
  readonly pins: TargetPins | null
  readonly nowMs: number
  readonly maxAgeMs: number
}

// The allowed skew of requests, if not configured (DR-12).
const SKEW_MS = 300_000

export interface ReportVerdict {
  /** What the report says, where it has the form of one. */
  readonly report: DrillReport | null
  /** Empty where it counts. */
  readonly problems: readonly EvidenceProblem[]
}

/** Whether the file is evidence that this target passed a drill lately: everything that is wrong with it. */
export function checkReport(file: Uint8Array, expected: ReportExpectation): ReportVerdict {
  const decoding = decodeReport(file)
  if (!decoding.ok && decoding.claimed === null) {
    const { code, detail } = decoding
    return {
      report: null,
      problems: [{ code: 'EVIDENCE_MALFORMED', field: fieldOf(detail), detail: `${code}: ${detail}` }]
    }
  }
  const report = decoding.ok ? decoding.report : decoding.claimed
  if (report === null) return { report, problems: [] }
  const altered: EvidenceProblem[] = decoding.ok
    ? []
    : [{ code: 'EVIDENCE_ALTERED', field: 'signatures', detail: decoding.detail }]
  return {
    report,
    problems: [
      ...altered,
      ...outcomeProblems(report),
      ...identityProblems(report, expected),
      ...ageProblems(report, expected),
      ...receiptProblems(report, expected)
    ]
  }
}

function outcomeProblems(report: DrillReport): readonly EvidenceProblem[] {
  const members = ['passed', ...Object.keys(STEP_OF)] as readonly ('passed' | keyof typeof STEP_OF)[]
  return members
    .filter((member) => !report[member])
    .map((field) => ({ code: 'NOT_PASSED', field, detail: `${field} is not true` }))
}

function identityProblems(report: DrillReport, expected: ReportExpectation): readonly EvidenceProblem[] {
  const { target, baseUrl, remoteNodeId } = expected
  const pairs = [
    ['target', report.target, target],
    ['base_url', report.base_url, baseUrl],
    ['remote_node_id', report.remote_node_id, remoteNodeId]
  ] as const
  return pairs
    .filter(([, found, wanted]) => found !== wanted)
    .map(([field, found, wanted]) => ({ code: 'OTHER_TARGET', field, detail: `${field} is ${found}, not ${wanted}` }))
}

function ageProblems({ test_time: testTime }: DrillReport, expected: ReportExpectation): readonly EvidenceProblem[] {
  const ageMs = expected.nowMs - Date.parse(testTime)
  if (ageMs > expected.maxAgeMs) return [{ code: 'STALE', field: 'test_time', detail: `${testTime} is too long ago` }]
  if (ageMs < -SKEW_MS) return [{ code: 'IN_THE_FUTURE', field: 'test_time', detail: `${testTime} is still to come` }]
  return []
}

/** DR-10 to DR-12, under the pinned keys. */
function receiptProblems(report: DrillReport, { pins }: ReportExpectation): readonly EvidenceProblem[] {
  const { receipt, delivery_hash: deliveryHash, inclusion_proof: proof } = report
  if (pins === null)
    return [{ code: 'PINS_MISSING', field: 'did', detail: 'the targets file has no did and keys of this target' }]
  // A drill that did not pass need not have come so far, and has its problem already.
  if (receipt === null || deliveryHash === null) return []
  const keysOf = (kid: string): ReturnType<typeof pinnedKeys> => pinnedKeys(pins, kid)
  const verdict = verifyReceipt({ receipt, sender: report.signer, receiver: pins.did, deliveryHash, keysOf })
  if (!verdict.ok) return [{ code: verdict.code, field: 'receipt', detail: verdict.detail }]
  const problems: EvidenceProblem[] = []
  if (proof !== null && !isInLog(verdict, proof))
    problems.push({ code: 'INCLUSION_INVALID', field: 'inclusion_proof', detail: 'it does not lead to the checkpoint' })
  const { ts } = verdict.decoded.receipt
  const [began, ended] = [Date.parse(report.test_time), Date.parse(report.finished_time)]
  if (ts < began - SKEW_MS || ts > ended + SKEW_MS) {
    const detail = `the target signed its receipt at ${isoOf(ts)}`
    problems.push({ code: 'TIME_INCONSISTENT', field: ts < began ? 'test_time' : 'finished_time', detail })
  }
  if (report.node_document?.['did'] !== pins.did)
    problems.push({ code: 'OTHER_TARGET', field: 'node_document', detail: 'it is that of another node' })
  return problems
}

/** Times of receipts are integers as large as one likes. */
function isoOf(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString()
}

/** Details of the codec begin with the place: `report.passed: …`. */
function fieldOf(detail: string): string {
  return /^report\.([a-z_]+)/.exec(detail)?.[1] ?? 'report.json'
}
