import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../platform/atomic-file.ts'
import type { Drill } from './run-drill.ts'
import { RUN_ID_PATTERN } from './run-id.ts'
import { drillSummary } from './summary.ts'
import { TARGET_NAME_PATTERN } from './targets-file.ts'

export const REPORT_FILE = 'report.json'
export const MATRIX_FILE = 'matrix.json'
const SUMMARY_FILE = 'summary.md'

// Evidence is for everybody to read; there is no secret in it.
const EVIDENCE_MODE = 0o644

const runId = z.string().regex(RUN_ID_PATTERN, 'is no id of a run')
const time = z.iso.datetime({ precision: 3 })
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'is no hash')
const name = z.string().regex(TARGET_NAME_PATTERN, 'is no name of a target')

/** `matrix.json`: which targets were tried together, and what came of it. Nothing rests on it that a report does not say. */
export const matrixSchema = z.strictObject({
  schema_version: z.literal(1),
  matrix_id: runId,
  test_time: time,
  finished_time: time,
  passed: z.boolean(),
  required_targets: z.array(name),
  targets: z.array(
    z.strictObject({
      target: name,
      passed: z.boolean(),
      drill_id: runId.nullable(),
      report_sha256: hash.nullable(),
      /** Why there is no report, or the steps that did not pass. */
      reason: z.string().nullable()
    })
  )
})
export type Matrix = z.output<typeof matrixSchema>

/** Writes report and summary into the folder, which is made. */
export async function writeDrill(folder: string, drill: Drill): Promise<void> {
  await mkdir(folder, { recursive: true })
  await write(join(folder, REPORT_FILE), drill.file)
  await write(join(folder, SUMMARY_FILE), drillSummary(drill.report))
}

/** Writes what belongs to the matrix as a whole: last, so that a matrix without it is one that was broken off. */
export async function writeMatrix(folder: string, matrix: Matrix, summary: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await write(join(folder, SUMMARY_FILE), summary)
  await write(join(folder, MATRIX_FILE), `${JSON.stringify(matrix, null, 2)}\n`)
}

/** SHA-256 of a file's content, hex. */
export function fileHash(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}

/** The file's bytes, at most one more than `bytesMax`, so that the reader sees that there are too many. Rejects as `open` does. */
export async function readBounded(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
      length += bytesRead
      if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length)
    }
  } finally {
    await file.close()
  }
}

async function write(path: string, content: string): Promise<void> {
  await writeAtomically(path, content, { mode: EVIDENCE_MODE, exclusive: true })
}
