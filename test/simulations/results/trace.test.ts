import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { decodeCanonical } from '../../../protocols/canonical-json/v1/codec.ts'
import { TRACE_FIELDS } from '../../../simulations/results/trace-kinds.ts'
import { traceTable } from './tables.ts'
import { TraceWriter } from '../../../simulations/results/trace-writer.ts'
import type { TraceKind } from '../../../simulations/model/simulation.ts'
import { START_US } from '../../../simulations/world/virtual-time.ts'
import { FakeRun, busyRun } from './fake-run.ts'

const linesOf = (gzip: Uint8Array): string[] => gunzipSync(gzip).toString('utf8').trimEnd().split('\n')

test('a line is the canonical JSON of its record, with virtual time from the start of the run', () => {
  const run = new FakeRun('1', 2)
  run.at(1.5).record('connect', 1, { peer: 'n0' })
  const lines = linesOf(run.finish().traceBytes)
  expect(lines.at(-1)).toBe('{"atUs":1500000,"kind":"connect","node":"n1","peer":"n0"}')
  expect(lines.every((line) => decodeCanonical(Buffer.from(line)).ok)).toBe(true)
})

test('the first record holds what makes the run again', () => {
  const [first = ''] = linesOf(new FakeRun('seven', 2).finish().traceBytes)
  expect(JSON.parse(first)).toMatchObject({
    atUs: 0,
    kind: 'run',
    v: 1,
    seed: 'seven',
    scenario: { name: 'a-fake', faultsEnd: '20s' },
    files: {},
    nodeVersion: 'v24.0.0',
    commit: 'c0ffee',
    version: '0.1.0'
  })
})

test('every record of a run is as the format says', () => {
  const { traceBytes, trace } = busyRun('1').finish()
  const lines = linesOf(traceBytes)
  expect(lines).toHaveLength(trace.records)
  for (const line of lines) {
    const { atUs, kind, node, ...fields } = JSON.parse(line) as { atUs: number; kind: TraceKind; node: string | null }
    expect(Number.isSafeInteger(atUs)).toBe(true)
    expect(node === null || /^n\d+$/.test(node)).toBe(true)
    expect(TRACE_FIELDS[kind].strict().safeParse(fields)).toMatchObject({ success: true })
  }
})

test('the hash is that of the uncompressed bytes, over many members of gzip', () => {
  const chunks: Uint8Array[] = []
  const time = { nowUs: START_US }
  const writer = new TraceWriter({ time, write: (bytes) => void chunks.push(bytes), frames: true })
  for (let number = 0; number < 60_000; number += 1)
    writer.record('frame', null, { from: '10.0.0.1', to: '10.0.0.2', bytes: number })
  const end = writer.finish()
  expect(chunks.length).toBeGreaterThan(2)
  const text = gunzipSync(Buffer.concat(chunks))
  expect(end).toEqual({ hash: createHash('sha256').update(text).digest('hex'), records: 60_000, bytes: text.length })
  // No time and no operating system in the header (RFC 1952).
  expect(chunks.map((chunk) => [...chunk.subarray(4, 8), chunk[9]])).toEqual(chunks.map(() => [0, 0, 0, 0, 255]))
})

test('frames are kept only where they are asked for', () => {
  const writer = new TraceWriter({ time: { nowUs: START_US }, frames: false })
  writer.record('frame', null, { from: '10.0.0.1', to: '10.0.0.2', bytes: 1 })
  expect(writer.finish()).toMatchObject({ records: 0 })
})

test('a record that names a member of all records, or comes after the end, is a defect', () => {
  const writer = new TraceWriter({ time: { nowUs: START_US }, frames: false })
  expect(() => writer.record('fault', null, { kind: 'partition' })).toThrow('of its own')
  writer.finish()
  expect(() => writer.record('boot', 'n0')).toThrow('finished')
})

test('the same inputs give the same bytes, another seed gives others', () => {
  const [first, again, other] = ['1', '1', '2'].map((seed) => busyRun(seed).finish().traceBytes.toString('base64'))
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('TRACE.md has every kind with its fields', () => {
  expect(readFileSync('simulations/TRACE.md', 'utf8')).toContain(traceTable())
})
