import { join } from 'node:path'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import { isAdminToken } from './admin-token.ts'
import { buildTarget } from './build-target.ts'
import { fileHash, writeDrill, writeMatrix } from './evidence-files.ts'
import type { Matrix } from './evidence-files.ts'
import { runDrill } from './run-drill.ts'
import { newRunId } from './run-id.ts'
import { Secrets } from './secrets.ts'
import { failureReason, matrixSummary } from './summary.ts'
import type { TargetsFile } from './targets-file.ts'

export interface MatrixOptions {
  readonly file: TargetsFile
  /** Names of targets, each once. */
  readonly required: readonly string[]
  /** Where the folder of the matrix is made. */
  readonly out: string
}

export interface MatrixPorts {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: string
}

export interface MatrixRun {
  readonly folder: string
  readonly matrix: Matrix
  /** Nothing failed for another reason than that targets could not be reached. */
  readonly unreachable: boolean
}

interface TargetRun {
  readonly row: Matrix['targets'][number]
  readonly unreachable: boolean
}

// A drill waits for its target nearly all of its time; a few at once keep a matrix short, and a broken line from being
// taken for broken nodes.
const DRILLS_AT_ONCE = 4

/**
 * Runs the drill against every required target. What is wrong with one (no token, not to be reached, refused) keeps no
 * other from being tried. Rejects with the signal's reason, and where evidence can't be written.
 */
export async function runMatrix({ file, required, out }: MatrixOptions, ports: MatrixPorts): Promise<MatrixRun> {
  const { clock, random } = ports
  const beganMs = clock.now()
  const began = new Date(beganMs).toISOString()
  const matrixId = newRunId(began, random)
  const folder = join(out, matrixId)
  const runs = await inLanes(required, (name) => runOne(file, name, join(folder, name), ports))
  const passed = runs.every(({ row }) => row.passed)
  const matrix: Matrix = {
    schema_version: 1,
    matrix_id: matrixId,
    test_time: began,
    finished_time: new Date(Math.max(beganMs, clock.now())).toISOString(),
    passed,
    required_targets: [...required],
    targets: runs.map(({ row }) => row)
  }
  const rows = matrix.targets.map((row) => ({ ...row, drillId: row.drill_id }))
  await writeMatrix(folder, matrix, matrixSummary(matrixId, passed, rows))
  const failed = runs.filter(({ row }) => !row.passed)
  return { folder, matrix, unreachable: failed.length > 0 && failed.every((run) => run.unreachable) }
}

async function runOne(file: TargetsFile, name: string, folder: string, ports: MatrixPorts): Promise<TargetRun> {
  const entry = file.targets.get(name)
  if (entry === undefined) return notRun(name, `${file.path} has no target ${name}`)
  const { admin_token_env: variable } = entry
  const adminToken = ports.environment[variable]?.trim() ?? ''
  if (adminToken === '') return notRun(name, `the environment variable ${variable} holds no admin token`)
  if (!isAdminToken(adminToken))
    return notRun(name, `what the environment variable ${variable} holds is no admin token`)
  const secrets = new Secrets()
  secrets.add(adminToken)
  if (secrets.areIn(file.text))
    return notRun(name, `${file.path} holds the token itself: take it out, and make a new one`)
  try {
    const target = await buildTarget(file, name, entry)
    const drill = await runDrill(target, { ...ports, secrets, adminToken })
    await writeDrill(folder, drill)
    const { report } = drill
    const row = {
      target: name,
      passed: report.passed,
      drill_id: report.drill_id,
      report_sha256: fileHash(drill.file),
      reason: failureReason(report)
    }
    return { row, unreachable: drill.unreachable }
  } catch (error) {
    ports.signal.throwIfAborted()
    // What this target's entry is at fault for is its own affair; a disk that is full is everybody's.
    if (!(error instanceof AnchormeshError)) throw error
    return notRun(name, secrets.clean(messageOf(error)))
  }
}

function notRun(target: string, reason: string): TargetRun {
  return { row: { target, passed: false, drill_id: null, report_sha256: null, reason }, unreachable: false }
}

/** The results in the order of the names; no more than `DRILLS_AT_ONCE` are under way. Rejects when all lanes have ended. */
async function inLanes(
  names: readonly string[],
  run: (name: string) => Promise<TargetRun>
): Promise<readonly TargetRun[]> {
  const results = new Map<string, TargetRun>()
  const waiting = names.values()
  const lane = async (): Promise<void> => {
    for (const name of waiting) results.set(name, await run(name))
  }
  const ended = await Promise.allSettled(Array.from({ length: DRILLS_AT_ONCE }, lane))
  const failed = ended.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return names.flatMap((name) => results.get(name) ?? [])
}
