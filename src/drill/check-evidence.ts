import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { decodeIJson } from '../../protocols/canonical-json/v1/codec.ts'
import { REPORT_BYTES_MAX } from '../../protocols/drill-report/v1/report.ts'
import { errnoOf } from '../platform/atomic-file.ts'
import { pinsOf } from './build-target.ts'
import { checkReport } from './check-report.ts'
import type { EvidenceProblem, ReportExpectation } from './check-report.ts'
import { MATRIX_FILE, REPORT_FILE, fileHash, matrixSchema, readBounded } from './evidence-files.ts'
import type { Matrix } from './evidence-files.ts'
import { plainUrl } from './plain-url.ts'
import { RUN_ID_PATTERN, isRunOf } from './run-id.ts'
import type { TargetsFile } from './targets-file.ts'

export interface EvidenceQuestion {
  /** The folder of a matrix; null where there is none. */
  readonly folder: string | null
  /** Names of targets, each once. */
  readonly required: readonly string[]
  /** Null where there is none: then nothing says whose signatures count. */
  readonly file: TargetsFile | null
  readonly nowMs: number
  readonly maxAgeMs: number
}

/** What was found of one target. */
export interface TargetEvidence {
  readonly target: string
  readonly passed: boolean
  readonly drillId: string | null
  readonly testTime: string | null
  readonly problems: readonly EvidenceProblem[]
}

export interface EvidenceVerdict {
  readonly passed: boolean
  readonly matrixId: string | null
  /** What is wrong with the matrix as a whole. */
  readonly problems: readonly EvidenceProblem[]
  readonly targets: readonly TargetEvidence[]
}

// 64 targets with reasons of 600 characters are 50 KiB.
const MATRIX_BYTES_MAX = 256 * 1024

/** The matrix that began last below a folder; null where there is none. Rejects where the folder can't be read. */
export async function latestMatrix(out: string): Promise<string | null> {
  const entries = await readdir(out, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const names = entries.filter((entry) => entry.isDirectory() && RUN_ID_PATTERN.test(entry.name))
  const last = names
    .map(({ name }) => name)
    .toSorted()
    .at(-1)
  return last === undefined ? null : join(out, last)
}

/** Whether the evidence of a matrix shows that every required target passed lately; where not, every reason. */
export async function checkEvidence(question: EvidenceQuestion): Promise<EvidenceVerdict> {
  const { folder, required } = question
  if (folder === null) {
    const problem = missing('matrix', 'there is no evidence of a matrix yet')
    return { passed: false, matrixId: null, problems: [problem], targets: [] }
  }
  const { matrix, problems } = await readMatrix(folder)
  const targets: TargetEvidence[] = []
  for (const target of required) targets.push(await checkTarget(question, folder, target, matrix))
  const passed = required.length > 0 && problems.length === 0 && targets.every((target) => target.passed)
  return { passed, matrixId: matrix?.matrix_id ?? null, problems, targets }
}

async function checkTarget(
  { file, nowMs, maxAgeMs }: EvidenceQuestion,
  folder: string,
  target: string,
  matrix: Matrix | null
): Promise<TargetEvidence> {
  const nothing = { target, passed: false, drillId: null, testTime: null }
  const entry = file?.targets.get(target)
  if (file === null || entry === undefined) {
    const detail = file === null ? 'there is no targets file' : `${file.path} has no target ${target}`
    return { ...nothing, problems: [{ code: 'PINS_MISSING', field: 'target', detail }] }
  }
  const expected: ReportExpectation = {
    target,
    baseUrl: plainUrl(new URL(entry.base_url)),
    remoteNodeId: entry.remote_node_id,
    pins: pinsOf(entry),
    nowMs,
    maxAgeMs
  }
  const path = join(folder, target, REPORT_FILE)
  const bytes = await readBounded(path, REPORT_BYTES_MAX).catch((error: unknown) => {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return errno
  })
  const row = matrix?.targets.find((candidate) => candidate.target === target)
  if (typeof bytes === 'string') {
    const reason = typeof row?.reason === 'string' ? `: ${row.reason}` : ''
    return { ...nothing, problems: [missing(REPORT_FILE, `there is no report (${bytes})${reason}`)] }
  }
  const { report, problems } = checkReport(bytes, expected)
  const all = [...problems, ...rowProblems(row, fileHash(bytes), report?.drill_id ?? null)]
  return {
    target,
    passed: report !== null && all.length === 0,
    drillId: report?.drill_id ?? null,
    testTime: report?.test_time ?? null,
    problems: all
  }
}

/** What the matrix says of a target against what its report says. */
function rowProblems(
  row: Matrix['targets'][number] | undefined,
  hash: string,
  drillId: string | null
): readonly EvidenceProblem[] {
  if (row === undefined) return [missing('targets', `${MATRIX_FILE} does not have this target`)]
  const problems: EvidenceProblem[] = []
  if (!row.passed)
    problems.push({ code: 'NOT_PASSED', field: 'targets.passed', detail: `it is not true in ${MATRIX_FILE}` })
  if (row.report_sha256 !== hash)
    problems.push(altered('targets.report_sha256', `the report is not the one that ${MATRIX_FILE} names`))
  if (row.drill_id !== drillId) problems.push(altered('targets.drill_id', 'it is not that of the report'))
  if (row.passed && row.reason !== null) problems.push(altered('targets.reason', 'it has one, though it passed'))
  return problems
}

async function readMatrix(
  folder: string
): Promise<{ readonly matrix: Matrix | null; readonly problems: readonly EvidenceProblem[] }> {
  const bytes = await readBounded(join(folder, MATRIX_FILE), MATRIX_BYTES_MAX).catch((error: unknown) => {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return errno
  })
  if (typeof bytes === 'string') {
    const problem = missing(MATRIX_FILE, `there is none (${bytes}): the run was broken off, or this is no matrix`)
    return { matrix: null, problems: [problem] }
  }
  const decoded = bytes.length > MATRIX_BYTES_MAX ? null : decodeIJson(bytes)
  const parsed = decoded?.ok === true ? matrixSchema.safeParse(decoded.value) : null
  if (parsed?.success !== true) {
    const issue = parsed?.error.issues[0]
    const field = issue === undefined ? MATRIX_FILE : issue.path.map(String).join('.') || MATRIX_FILE
    const detail = issue?.message ?? 'it is no JSON, or too large'
    return { matrix: null, problems: [{ code: 'EVIDENCE_MALFORMED', field, detail }] }
  }
  return { matrix: parsed.data, problems: matrixProblems(parsed.data, folder) }
}

function matrixProblems(matrix: Matrix, folder: string): readonly EvidenceProblem[] {
  const { matrix_id: id, test_time: began, finished_time: ended, required_targets: required, targets } = matrix
  const problems: EvidenceProblem[] = []
  if (id !== basename(folder)) problems.push(altered('matrix_id', 'it is not the name of the folder'))
  if (!isRunOf(id, began)) problems.push(altered('test_time', 'it is not that of the matrix id'))
  if (Date.parse(ended) < Date.parse(began)) problems.push(altered('finished_time', 'it is before test_time'))
  const names = targets.map(({ target }) => target)
  if (new Set(names).size !== names.length || names.join('\n') !== required.join('\n'))
    problems.push(altered('required_targets', 'they are not those that were tried, each once'))
  if (matrix.passed !== targets.every(({ passed }) => passed))
    problems.push(altered('passed', 'it is not what the targets say'))
  return problems
}

function missing(field: string, detail: string): EvidenceProblem {
  return { code: 'EVIDENCE_MISSING', field, detail }
}

function altered(field: string, detail: string): EvidenceProblem {
  return { code: 'EVIDENCE_ALTERED', field, detail }
}
