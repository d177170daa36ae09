import fc from 'fast-check'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'
import type { SessionVector } from './vectors/range-sync-sessions.ts'

type Members = Readonly<Record<string, unknown>>
type Vector = { readonly description: string } & Members

interface Answer {
  readonly frames: readonly { frame?: Members; bytes?: string; length?: string; code?: string }[]
  readonly roots: readonly { readonly root: string; readonly states: readonly string[] }[]
  readonly sessions: readonly (readonly string[])[]
}

const vectorsOf = (name: string): readonly Vector[] =>
  (readJson(PROTOCOLS, 'range-sync', 'v1', 'vectors', name) as { vectors: readonly Vector[] }).vectors

/** Bytes in hex, written out. */
const hexOf = ({ bytes, prefix, repeat, count }: Members): string =>
  typeof bytes === 'string' ? bytes : String(prefix) + String(repeat).repeat(Number(count))

/** What is in a frame, written out. */
function expanded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expanded)
  if (typeof value !== 'object' || value === null) return value
  const { element, count, repeat } = value as Members
  if (element !== undefined) return Array.from({ length: Number(count) }, () => expanded(element))
  if (repeat !== undefined) return hexOf(value as Members)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, expanded(member)]))
}

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.log('skipped: the second implementation of range-sync needs python3')

describe.skipIf(!hasPython)('range-sync, written from its SPEC in Python', () => {
  const valid = vectorsOf('frames.json')
  const invalid = vectorsOf('frames-invalid.json').filter(({ stream }) => stream === undefined)
  const roots = vectorsOf('tips-roots.json')
  const sessions = vectorsOf('sessions.json') as readonly Vector[] & readonly SessionVector[]

  // The samples are the same each time: the other side is asked once, for all of them.
  const small = valid.map(hexOf).filter((frame) => frame.length < 2_000)
  const damaged = fc
    .sample(
      fc.tuple(
        fc.constantFrom(...small),
        fc.array(
          fc.record({ at: fc.nat(), octet: fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xff), drop: fc.nat(2) }),
          {
            minLength: 1,
            maxLength: 2
          }
        )
      ),
      { numRuns: 2_000, seed: 20_260_101 }
    )
    .map(([frame, damages]) => {
      const bytes = [...Buffer.from(frame, 'hex')]
      for (const { at, octet, drop } of damages) bytes.splice(at % Math.min(bytes.length, 60), drop, octet)
      return toHex(Uint8Array.from(bytes))
    })

  let answer: Answer

  beforeAll(() => {
    const request = {
      frames: [...[...valid, ...invalid].map(hexOf), ...damaged],
      roots: roots.map(({ chains }) => chains),
      sessions
    }
    const program = join(import.meta.dirname, 'second_range_sync.py')
    // No compiled copies of what it imports beside it.
    const run = spawnSync('python3', ['-B', program], {
      input: JSON.stringify(request),
      encoding: 'utf8',
      maxBuffer: 2 ** 25
    })
    if (run.status !== 0) throw new Error(run.stderr)
    answer = JSON.parse(run.stdout) as Answer
  })

  test('reads every frame as the vectors say, and writes the same bytes', () => {
    for (const [index, vector] of valid.entries()) {
      expect(answer.frames[index], vector.description).toEqual({
        frame: expanded(vector['frame']),
        bytes: hexOf(vector),
        length: vector['length']
      })
    }
  })

  test('refuses what is no frame, with the same code', () => {
    const theirs = answer.frames.slice(valid.length, valid.length + invalid.length)
    expect(invalid.map(({ description }, index) => `${description}: ${theirs[index]?.code}`)).toEqual(
      invalid.map(({ description, code }) => `${description}: ${String(code)}`)
    )
  })

  test('gives damaged frames the same verdict', () => {
    const theirs = answer.frames.slice(-damaged.length).map(({ code }) => code ?? 'ok')
    const ours = damaged.map((frame) => {
      const decoded = decodeFrame(fromHex(frame) ?? new Uint8Array())
      return decoded.ok ? 'ok' : decoded.code
    })
    expect(damaged.map((frame, index) => `${frame}: ${theirs[index]}`)).toEqual(
      damaged.map((frame, index) => `${frame}: ${ours[index]}`)
    )
    expect(new Set(theirs).size).toBe(3)
  })

  test('comes to the same chain states and tips roots', () => {
    expect(answer.roots).toEqual(
      roots.map(({ root, chains }) => ({ root, states: (chains as readonly Members[]).map(({ state }) => state) }))
    )
  })

  test('finds in every session the frames that follow from what the sides hold', () => {
    expect(sessions.map(({ description }, index) => [description, answer.sessions[index]])).toEqual(
      sessions.map(({ description }) => [description, []])
    )
  })
})
