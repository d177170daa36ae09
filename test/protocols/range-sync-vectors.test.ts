import { encode } from 'it-length-prefixed'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeMessage } from '../../protocols/negentropy/v1/codec.ts'
import { concat, fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { decodeFrame, frameBytesMax } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { EVENTS_FRAME_BYTES_MAX } from '../../protocols/range-sync/v1/frames.ts'
import {
  BUCKETS,
  BUCKETS_IN_GROUP,
  bucketHash,
  bucketOf,
  chainState,
  groupHash,
  tipsRoot
} from '../../protocols/range-sync/v1/tips-root.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { SessionInitiator } from '../../src/sync/initiator.ts'
import type { Step } from '../../src/sync/step.ts'
import { TipTable } from '../../src/sync/tip-table.ts'
import { frameStream } from '../../src/streams/frames.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'
import { sentBy, sidesOf } from './vectors/range-sync-sessions.ts'
import type { SessionVector } from './vectors/range-sync-sessions.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(join(PROTOCOLS, 'range-sync', 'v1', 'vectors', name)) as { vectors: readonly unknown[] }).vectors
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

interface Repeated {
  readonly prefix: string
  readonly repeat: string
  readonly count: number
}
type Bytes = { readonly bytes: string } | Repeated
type Fields = Readonly<Record<string, unknown>>

const inputOf = (given: Bytes): Uint8Array =>
  bytesOf('bytes' in given ? given.bytes : given.prefix + given.repeat.repeat(given.count))

const BYTES = new Set(['membership', 'root', 'salt', 'message', 'prefix', 'tag', 'entries', 'missing', 'events'])
const BITS = new Set(['bits', 'held'])

/** A frame from what a vector says of it. */
function frameOf(fields: Fields): Frame {
  return revived(fields, '') as Frame
}

function revived(value: unknown, name: string): unknown {
  if (typeof value === 'string') {
    if (BITS.has(name)) return [...value].map((bit) => bit === '1')
    return BYTES.has(name) ? bytesOf(value) : value
  }
  if (Array.isArray(value)) return value.map((element: unknown) => revived(element, name))
  if (typeof value !== 'object' || value === null) return value
  const { element, count, repeat } = value as Fields
  if (element !== undefined) return Array.from({ length: Number(count) }, () => revived(element, name))
  if (repeat !== undefined) return inputOf(value as Repeated)
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revived(member, key)]))
}

describe('frames', () => {
  type Valid = Bytes & { frame: Fields; length: string }
  test.each(vectorsOf('frames.json') as readonly Valid[])('$description', (vector) => {
    const [bytes, frame] = [inputOf(vector), frameOf(vector.frame)]
    expect(decodeFrame(bytes)).toEqual({ ok: true, frame })
    expect(toHex(encodeFrame(frame))).toBe(toHex(bytes))
    expect(toHex(encode.single(bytes).subarray())).toBe(vector.length + toHex(bytes))
    if ('message' in frame) expect(decodeMessage(frame.message)).toMatchObject({ ok: true })
  })

  test('of every type and error code are among them', () => {
    const frames = (vectorsOf('frames.json') as readonly Valid[]).map(({ frame }) => frame)
    expect(new Set(frames.map(({ type }) => type)).size).toBe(11)
    expect(new Set(frames.map(({ code }) => code)).size).toBe(7)
  })

  type Invalid = { code: string } & (Bytes | { stream: string })
  const invalid = vectorsOf('frames-invalid.json') as readonly Invalid[]
  test.each(invalid)('$rule $code: $description', async (vector) => {
    if ('stream' in vector) expect(await readingOf(vector.stream)).toMatchObject({ ok: false, code: vector.code })
    else expect(decodeFrame(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })

  test('that are too large are seen to be so by their first byte and their length', () => {
    const large = invalid.filter((vector): vector is Invalid & Repeated => 'count' in vector && vector.count > 65_000)
    expect(large.length).toBe(3)
    for (const { prefix, count } of large) expect(frameBytesMax(Number.parseInt(prefix, 16))).toBe(count)
  })
})

/** What reading a stream of these bytes gives first. */
async function readingOf(stream: string): Promise<unknown> {
  const source = (async function* chunks() {
    yield bytesOf(stream)
    await Promise.resolve()
  })()
  const sink = async (): Promise<void> => {}
  const frames = frameStream(
    { peerId: 'peer', source, sink, abort: () => {} },
    { frameBytesMax: EVENTS_FRAME_BYTES_MAX }
  )
  return await frames.read()
}

describe('tips roots', () => {
  type Chain = { chain: string; tips: string[]; state: string; signer?: string; kid?: string }
  type Root = { chains: Chain[]; buckets: Record<string, string>; root: string }
  test.each(vectorsOf('tips-roots.json') as readonly Root[])('$description', ({ chains, buckets, root }) => {
    const table = new TipTable()
    for (const { chain, tips, signer, kid, state } of chains) {
      if (signer !== undefined && kid !== undefined)
        expect(chainIdOf({ signer, kid, namespace: 'dao:vaultmesh' })).toBe(chain)
      expect(toHex(chainState(bytesOf(chain), tips.toSorted().map(bytesOf)))).toBe(state)
      for (const [index, id] of tips.entries()) table.load(chain, { id, authorSeq: index + 1 })
    }
    const ascending = chains.toSorted((left, right) => (left.chain < right.chain ? -1 : 1))
    const hashes = Array.from({ length: BUCKETS }, (_, bucket) =>
      bucketHash(
        ascending.filter(({ chain }) => bucketOf(bytesOf(chain)) === bucket).map(({ state }) => bytesOf(state))
      )
    )
    for (const [bucket, hash] of Object.entries(buckets)) expect(toHex(hashes[Number(bucket)] ?? concat())).toBe(hash)
    const groups = Array.from({ length: BUCKETS / BUCKETS_IN_GROUP }, (_, group) =>
      groupHash(hashes.slice(group * BUCKETS_IN_GROUP, (group + 1) * BUCKETS_IN_GROUP))
    )
    expect(toHex(tipsRoot(groups))).toBe(root)
    expect(toHex(table.view().root())).toBe(root)
  })
})

describe('sessions', () => {
  const vectors = vectorsOf('sessions.json') as readonly SessionVector[]

  test.each(vectors)('$description, from the side of the initiator', async (vector) => {
    const { initiator } = sidesOf(vector)
    await replay(initiator, vector, '>')
    expect(await sentBy(initiator.plan)).toEqual(vector.initiatorSends)
  })

  test.each(vectors)('$description, from the side of the responder', async (vector) => {
    const { responder } = sidesOf(vector)
    await replay(responder, vector, '<')
    expect(await sentBy(responder.plan)).toEqual(vector.responderSends)
  })

  test('show every frame before the transfer, and every way through the course', () => {
    const courses = vectors.map(({ frames }) => frames.map((frame) => frame[0] + frame.slice(3, 4)).join(' '))
    for (const course of [
      '>1 <2',
      '>1 <3 >6 <7',
      '>1 <4 >6 <7 >8',
      '>1 <4 >5 <5 >6 <7',
      '>1 <3 >6 <7 >8 <8 >8',
      '>1 <3 >6 <7 >8 <8 >8 <8 >8',
      '>1 <4 >5 <5 >6 <7 >8 <8 >8 <8',
      '>1 <3 >6 >6 >6 <7 <7 >8 <8 >8'
    ])
      expect(courses).toContain(course)
  })
})

/** Gives a side the frames of the other: what it says, and when it goes on to the transfer, has to be as in the vector. */
async function replay(
  side: ReturnType<typeof sidesOf>['initiator' | 'responder'],
  { frames }: SessionVector,
  mark: '>' | '<'
): Promise<void> {
  const said: string[] = []
  let next: string | null = null
  const note = (step: Step): void => {
    if (!step.ok) throw new Error(`${step.code}: ${step.detail}`)
    said.push(...step.send.map((frame) => toHex(encodeFrame(frame))))
    next = step.next
  }
  if (side instanceof SessionInitiator) said.push(toHex(encodeFrame(side.hello())))
  for (const bytes of frames.filter((frame) => !frame.startsWith(mark)).map((frame) => bytesOf(frame.slice(2)))) {
    expect(next ?? 'talk').toBe('talk')
    const decoded = decodeFrame(bytes)
    if (!decoded.ok) throw new Error(decoded.detail)
    const { frame } = decoded
    note(frame.type === 'hello' && !(side instanceof SessionInitiator) ? side.begin(frame) : await side.take(frame))
  }
  expect(said).toEqual(frames.filter((frame) => frame.startsWith(mark)).map((frame) => frame.slice(2)))
  // Who waits goes on with the first frame of the other's transfer.
  if (next === 'talk') note(await side.take({ type: 'done', sent: 0, notTaken: 0, left: 0 }))
  expect(['transfer', 'equal']).toContain(next)
}
