import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { encodeReport } from '../../protocols/drill-report/v1/report.ts'
import type { DrillReport } from '../../protocols/drill-report/v1/report.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { latestMatrix } from '../../src/drill/check-evidence.ts'
import { checkReport } from '../../src/drill/check-report.ts'
import { fileHash } from '../../src/drill/evidence-files.ts'
import type { Matrix } from '../../src/drill/evidence-files.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { newFolder } from '../support/cli.ts'
import { HOUR_MS, checkOf, entryOf, matrixWorld, reasonsOf, runMatrixOf } from './matrix-support.ts'
import type { MatrixWorld } from './matrix-support.ts'
import { serveTestNode } from './support.ts'

type Report = DrillReport & { readonly signatures: JsonValue }

/** Real evidence of two nodes, and copies of it that are tampered with. */
async function evidence(): Promise<{
  world: MatrixWorld
  folder: string
  tampered: (change: (copy: string) => void | Promise<void>) => Promise<readonly string[]>
}> {
  const world = matrixWorld(await serveTestNode('staging'), await serveTestNode('preprod'))
  const { folder, matrix } = await runMatrixOf(world)
  expect(matrix.passed, JSON.stringify(matrix)).toBe(true)
  return {
    world,
    folder,
    async tampered(change) {
      const copy = join(newFolder(), basename(folder))
      cpSync(folder, copy, { recursive: true })
      await change(copy)
      const verdict = await checkOf(world, copy)
      expect(verdict.passed).toBe(reasonsOf(verdict).length === 0)
      return reasonsOf(verdict)
    }
  }
}

const reportIn = (folder: string): string => join(folder, 'staging', 'report.json')
const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

/** Puts a report in the place of one, and has the matrix name it, as somebody would who wants it to go unnoticed. */
function putReport(folder: string, text: string): void {
  writeFileSync(reportIn(folder), text)
  const path = join(folder, 'matrix.json')
  const matrix = read(path) as Matrix
  const targets = matrix.targets.map((row) =>
    row.target === 'staging' ? { ...row, report_sha256: fileHash(text) } : row
  )
  writeFileSync(path, JSON.stringify({ ...matrix, targets }))
}

/** Every member of a value, however deep, by its path. */
function pathsIn(value: JsonValue, at: readonly string[] = []): readonly (readonly string[])[] {
  if (Array.isArray(value))
    return (value as JsonValue[]).flatMap((inner, index) => pathsIn(inner, [...at, String(index)]))
  if (!isJsonObject(value)) return [at]
  return Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, [...at, name]))
}

function changed(value: JsonValue): JsonValue {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'number') return value + 1
  if (value === null) return 'x'
  if (typeof value !== 'string' || value === '') return 'x'
  // Another character of the same kind, so that forms stay right where that can be.
  const middle = Math.floor(value.length / 2)
  const other = value[middle] === '1' ? '2' : '1'
  return `${value.slice(0, middle)}${other}${value.slice(middle + 1)}`
}

function withChange(value: JsonValue, [name = '', ...rest]: readonly string[]): JsonValue {
  const inner = (value as JsonObject)[name] as JsonValue
  const put = rest.length === 0 ? changed(inner) : withChange(inner, rest)
  if (Array.isArray(value))
    return (value as JsonValue[]).map((element, index) => (String(index) === name ? put : element))
  return { ...(value as JsonObject), [name]: put }
}

/** A report without its signature, signed by another key that names itself, or the one that stands there. */
async function signedAgain(report: Report, as: 'itself' | 'the drill', changes: Partial<DrillReport>): Promise<string> {
  const { signatures: _old, ...rest } = report
  const forger = localSigner(new Uint8Array(32).fill(9))
  const own = as === 'itself' ? { signer: forger.did, kid: forger.kid } : {}
  return await encodeReport({ ...rest, ...own, ...changes }, (input) => forger.sign(input))
}

test('evidence counts as it is, and not without what it needs', async () => {
  const { world, folder } = await evidence()
  const good = await checkOf(world, folder)
  expect(reasonsOf(good)).toEqual([])
  expect(good.passed).toBe(true)
  expect(await latestMatrix(join(world.folder, 'out'))).toBe(folder)
  expect(await latestMatrix(join(world.folder, 'nothing'))).toBeNull()

  const reasons = async (...args: Parameters<typeof checkOf>): Promise<readonly string[]> => {
    const verdict = await checkOf(...args)
    expect(verdict.passed).toBe(false)
    return reasonsOf(verdict)
  }
  expect(await reasons(world, null)).toEqual(['EVIDENCE_MISSING matrix'])
  expect(await reasons(world, join(world.folder, 'none'), { required: ['staging'] })).toEqual([
    'EVIDENCE_MISSING matrix.json',
    'staging EVIDENCE_MISSING report.json'
  ])
  expect(await reasons(world, folder, { required: ['staging', 'production'] })).toEqual([
    'production PINS_MISSING target'
  ])
  expect(await reasons(world, folder, { required: [] })).toEqual([])
  expect(await reasons(world, folder, { targets: null })).toEqual([
    'staging PINS_MISSING target',
    'preprod PINS_MISSING target'
  ])
  expect(await reasons(world, folder, { afterMs: 168 * HOUR_MS + 600_000 })).toEqual([
    'staging STALE test_time',
    'preprod STALE test_time'
  ])
  expect(await reasons(world, folder, { afterMs: -600_000 })).toEqual([
    'staging IN_THE_FUTURE test_time',
    'preprod IN_THE_FUTURE test_time'
  ])
})

test('the keys of the targets file decide, whatever the evidence says', async () => {
  const { world, folder } = await evidence()
  const other = await serveTestNode('other')
  const said = async (entry: Readonly<Record<string, unknown>>): Promise<readonly string[]> => {
    const path = join(newFolder(), 'targets.json')
    writeFileSync(path, JSON.stringify({ v: 1, targets: { staging: entry } }))
    return reasonsOf(await checkOf(world, folder, { required: ['staging'], targets: path }))
  }
  const entry = entryOf(world.first, 'STAGING_TOKEN')
  expect(await said(entry)).toEqual([])
  const { did: _did, ...unpinned } = entry
  expect(await said(unpinned)).toEqual(['staging PINS_MISSING did'])
  expect(await said({ ...entry, did: other.did })).toEqual(['staging KEY_UNKNOWN receipt'])
  expect(await said({ ...entry, did: 'did:web:staging.example' })).toEqual(['staging KEY_UNKNOWN receipt'])
  expect(await said({ ...entry, base_url: 'https://elsewhere.example' })).toEqual(['staging OTHER_TARGET base_url'])
  expect(await said({ ...entry, remote_node_id: 'someone' })).toEqual(['staging OTHER_TARGET remote_node_id'])
})

test('a change of any member of a report is found, and named where it stands there by itself', async () => {
  const { world, folder } = await evidence()
  const report = read(reportIn(folder)) as JsonObject
  const expected = {
    target: 'staging',
    baseUrl: world.first.base,
    remoteNodeId: 'interop-drill',
    pins: { did: world.first.did, keys: [] },
    nowMs: world.first.ports.clock.now(),
    maxAgeMs: HOUR_MS
  }
  const saidOf = (value: JsonValue): string =>
    checkReport(utf8(JSON.stringify(value)), expected)
      .problems.map(({ code, field, detail }) => `${code} ${field} ${detail}`)
      .join('\n')
  expect(saidOf(report)).toBe('')
  const paths = pathsIn(report)
  expect(paths.length).toBeGreaterThan(100)
  for (const path of paths) {
    const reasons = saidOf(withChange(report, path))
    // What does not contradict the rest is found by the signature over it.
    const [member = ''] = path
    const isFound = reasons.includes(member) || reasons.includes('EVIDENCE_ALTERED signatures')
    expect(isFound, `${path.join('.')}: ${reasons}`).toBe(true)
  }
  for (const member of Object.keys(report)) {
    const { [member]: _gone, ...rest } = report
    expect(saidOf(rest)).toContain(`EVIDENCE_MALFORMED ${member} REPORT_INVALID: report.${member}: missing`)
  }
})

test('a report that somebody signed again is found', async () => {
  const { tampered, folder, world } = await evidence()
  const report = read(reportIn(folder)) as Report
  const forged = async (as: 'itself' | 'the drill', changes: Partial<DrillReport>): Promise<readonly string[]> =>
    await tampered(async (copy) => putReport(copy, await signedAgain(report, as, changes)))
  expect(await forged('the drill', {})).toEqual(['staging EVIDENCE_ALTERED signatures'])
  expect(await forged('itself', {})).toEqual(['staging RECEIPT_INVALID receipt'])
  const isoOf = (ms: number): string => new Date(ms).toISOString()
  const later = Date.parse(report.test_time) + 24 * HOUR_MS
  const times = {
    test_time: isoOf(later),
    finished_time: isoOf(later),
    drill_id: `${isoOf(later).replaceAll(/[-:.]/g, '')}-00000000`
  }
  const renewed = await tampered(async (copy) => putReport(copy, await signedAgain(report, 'the drill', times)))
  expect(renewed).toContain('staging TIME_INCONSISTENT test_time')
  expect(renewed).toContain('staging EVIDENCE_ALTERED signatures')

  // A drill that was refused its replay guard, told as one that was not.
  const steps = report.steps.map((step) =>
    step.name === 'replay-guard' ? { ...step, outcome: 'failed' as const } : step
  )
  const honest = { steps, replay_guard_passed: false, passed: false }
  expect(await forged('itself', honest)).toEqual([
    'staging NOT_PASSED passed',
    'staging NOT_PASSED replay_guard_passed',
    'staging RECEIPT_INVALID receipt'
  ])
  // The report of the other target, and the receipt of another drill of the same one.
  const preprod = readFileSync(join(folder, 'preprod', 'report.json'), 'utf8')
  expect(await tampered((copy) => putReport(copy, preprod))).toContain('staging OTHER_TARGET target')
  const again = read(reportIn((await runMatrixOf(world)).folder)) as Report
  const { receipt, delivery_hash, inclusion_proof } = again
  expect(await forged('the drill', { receipt, delivery_hash, inclusion_proof })).toEqual([
    'staging EVIDENCE_ALTERED signatures',
    'staging RECEIPT_INVALID receipt'
  ])
  // What the signature of the drill alone would not show where who ran it signs anything.
  expect(await forged('the drill', { inclusion_proof })).toEqual([
    'staging EVIDENCE_ALTERED signatures',
    'staging INCLUSION_INVALID inclusion_proof'
  ])
  expect(await forged('the drill', { inclusion_proof: null })).toContain('staging EVIDENCE_MALFORMED inclusion_proof')
  const { node_document } = JSON.parse(preprod) as Report
  expect(await forged('the drill', { node_document })).toEqual([
    'staging EVIDENCE_ALTERED signatures',
    'staging OTHER_TARGET node_document'
  ])
})

test('a matrix that was changed, broken off or made up is found', async () => {
  const { tampered, folder } = await evidence()
  const path = (copy: string): string => join(copy, 'matrix.json')
  const matrix = read(path(folder)) as JsonObject
  for (const at of pathsIn(matrix)) {
    // It ended when it ended: nothing rests on that.
    if (at[0] === 'finished_time') continue
    const reasons = await tampered((copy) => writeFileSync(path(copy), JSON.stringify(withChange(matrix, at))))
    expect(reasons, at.join('.')).not.toEqual([])
  }
  expect(await tampered((copy) => rmSync(path(copy)))).toContain('EVIDENCE_MISSING matrix.json')
  expect(await tampered((copy) => writeFileSync(path(copy), '{"passed": true}'))).toContain(
    'EVIDENCE_MALFORMED schema_version'
  )
  expect(await tampered((copy) => writeFileSync(path(copy), 'passed'))).toContain('EVIDENCE_MALFORMED matrix.json')
  expect(await tampered((copy) => rmSync(join(copy, 'preprod'), { recursive: true }))).toEqual([
    'preprod EVIDENCE_MISSING report.json'
  ])
  expect(await tampered((copy) => writeFileSync(reportIn(copy), ''))).toContain(
    'staging EVIDENCE_MALFORMED report.json'
  )
  expect(await tampered((copy) => writeFileSync(reportIn(copy), ' '.repeat(300_000)))).toContain(
    'staging EVIDENCE_MALFORMED report.json'
  )
})
