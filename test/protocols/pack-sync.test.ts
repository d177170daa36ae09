import { describe, expect, test } from 'vitest'
import {
  decodePackAnswer,
  decodePackMessage,
  encodePackAnswer,
  encodePackMessage
} from '../../protocols/pack-sync/v1/message.ts'
import type { PackErrorCode, PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import { decodePackPage, encodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackRequest } from '../../protocols/pack-sync/v1/request.ts'
import { decodePackRequest, encodePackRequest } from '../../protocols/pack-sync/v1/request.ts'
import { bytesOfHex, toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `pack-sync/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

type Invalid = { readonly code: string; readonly rule: string } & (
  { readonly bytes: string } | { readonly repeat: string; readonly count: number }
)
const inputOf = (vector: Invalid): Uint8Array =>
  bytesOfHex('bytes' in vector ? vector.bytes : vector.repeat.repeat(vector.count))

describe('requests', () => {
  type Valid = { request: PackRequest; bytes: string }
  test.each(vectorsOf('requests') as readonly Valid[])('$description', ({ request, bytes }) => {
    expect(decodePackRequest(bytesOfHex(bytes))).toEqual({ ok: true, request })
    expect(toHex(encodePackRequest(request))).toBe(bytes)
  })

  test.each(vectorsOf('requests-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(decodePackRequest(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })
})

describe('pages', () => {
  type Valid = { page: { packs: readonly string[] }; bytes: string }
  test.each(vectorsOf('pages') as readonly Valid[])('$description', ({ page, bytes }) => {
    const decoding = decodePackPage(bytesOfHex(bytes))
    if (!decoding.ok) throw new Error(decoding.detail)
    expect({ ...decoding.page, packs: decoding.page.packs.map(toBase64url) }).toEqual(page)
    expect(toHex(encodePackPage(decoding.page))).toBe(bytes)
  })

  test.each(vectorsOf('pages-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    expect(decodePackPage(inputOf(vector))).toMatchObject({ ok: false, code: vector.code })
  })
})

describe('answers', () => {
  type Valid = { kind: string; payload: string; page?: string; code?: PackErrorCode; outcome?: PushOutcome }
  test.each(vectorsOf('answers') as readonly Valid[])('$description', ({ payload, kind, page, code, outcome }) => {
    const answer = decodePackAnswer(bytesOfHex(payload))
    if (answer === null) throw new Error('not read')
    expect(answer).toMatchObject({ kind, ...(code === undefined ? {} : { code }), ...(outcome && { outcome }) })
    if (answer.kind === 'page') expect(toHex(answer.page)).toBe(page)
    expect(toHex(encodePackAnswer(answer))).toBe(payload)
  })

  test.each(vectorsOf('answers-invalid') as readonly { payload: string }[])('$rule: $description', ({ payload }) => {
    expect(decodePackAnswer(bytesOfHex(payload))).toBeNull()
  })

  test('a detail that is too long is cut where it is written', () => {
    const written = encodePackAnswer({ kind: 'error', code: 'busy', detail: 'x'.repeat(300) })
    expect(decodePackAnswer(written)).toEqual({ kind: 'error', code: 'busy', detail: 'x'.repeat(256) })
  })
})

test('messages say whether they pull or push', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  expect(decodePackMessage(encodePackMessage({ kind: 'pull', request: bytes }))).toEqual({
    kind: 'pull',
    request: bytes
  })
  expect(decodePackMessage(encodePackMessage({ kind: 'push', wire: bytes }))).toEqual({ kind: 'push', wire: bytes })
  expect(decodePackMessage(Uint8Array.of(3, 1))).toBeNull()
  expect(decodePackMessage(new Uint8Array())).toBeNull()
})
