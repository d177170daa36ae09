import { TS, ada, canonicalOf, envelopeOf, hashOf, signedWire } from './event-parts.ts'
import { hex } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

/** The vectors of pack-sync/v1. Bytes are put together here as the SPEC says, without the codec. */
export function packSyncVectors(): readonly VectorFile[] {
  const base = 'pack-sync/v1/vectors'
  return [
    { path: `${base}/requests.json`, description: 'Requests: the value and its bytes (hex).', vectors: requests() },
    {
      path: `${base}/requests-invalid.json`,
      description: 'Bytes (hex; or `repeat` of a byte `count` times) that are no request, with rule and code.',
      vectors: invalidRequests()
    },
    {
      path: `${base}/pages.json`,
      description: 'Pages: the value, with events in base64url, and its bytes (hex).',
      vectors: pages()
    },
    {
      path: `${base}/pages-invalid.json`,
      description: 'Bytes (hex; or `repeat` of a byte `count` times) that are no page, with rule and code.',
      vectors: invalidPages()
    },
    {
      path: `${base}/answers.json`,
      description: 'Payloads of a source (hex) and what they say: `kind`, and the members of it (a page as hex).',
      vectors: answers()
    },
    {
      path: `${base}/answers-invalid.json`,
      description: 'Payloads of a source (hex) that say nothing, with the rule.',
      vectors: invalidAnswers()
    }
  ]
}

const REQUEST: Parts = { afterPackSeq: 0, limit: 64, orgId: 'vaultmesh' }

function requests(): Vector[] {
  const valid = (description: string, request: Parts): Vector => {
    return { description, request, bytes: hex(canonicalOf(request)) }
  }
  return [
    valid('all packs of an organisation', REQUEST),
    valid('those after the seventh', { ...REQUEST, afterPackSeq: 7 }),
    valid('the next page', { ...REQUEST, pageToken: 'eyJhIjowfQ' }),
    valid('with the events between, one at a time', { ...REQUEST, limit: 1, links: true }),
    valid('the longest token', { ...REQUEST, limit: 256, pageToken: 'x'.repeat(1_024) })
  ]
}

function invalidRequests(): Vector[] {
  const invalid = (description: string, request: Parts, rule = 'PS-2'): Vector => {
    return { description, rule, code: 'bad-request', bytes: hex(canonicalOf(request)) }
  }
  const without = (name: string): Parts => Object.fromEntries(Object.entries(REQUEST).filter(([key]) => key !== name))
  return [
    { description: 'too long', rule: 'PS-1', code: 'too-big', repeat: '20', count: 4_097 },
    { description: 'no bytes', rule: 'PS-1', code: 'bad-request', bytes: '' },
    {
      description: 'not canonical',
      rule: 'PS-1',
      code: 'bad-request',
      bytes: hex('{"limit":64,"afterPackSeq":0,"orgId":"vaultmesh"}')
    },
    { description: 'a list', rule: 'PS-2', code: 'bad-request', bytes: hex('[]') },
    ...Object.keys(REQUEST).map((name) => invalid(`without ${name}`, without(name))),
    invalid('an unknown member', { ...REQUEST, after: 1 }),
    invalid('a number below 0', { ...REQUEST, afterPackSeq: -1 }),
    invalid('a number that is none', { ...REQUEST, afterPackSeq: '1' }),
    invalid('a half number', { ...REQUEST, afterPackSeq: 1.5 }),
    invalid('no events at all', { ...REQUEST, limit: 0 }),
    invalid('too many events', { ...REQUEST, limit: 257 }),
    invalid('a name that is none', { ...REQUEST, orgId: '../etc' }),
    invalid('an empty token', { ...REQUEST, pageToken: '' }),
    invalid('a token of null', { ...REQUEST, pageToken: null }),
    invalid('a token in another alphabet', { ...REQUEST, pageToken: 'a+b' }),
    invalid('a token that is too long', { ...REQUEST, pageToken: 'x'.repeat(1_025) }),
    invalid('links that are false', { ...REQUEST, links: false })
  ]
}

const EVENT = signedWire(
  envelopeOf({ namespace: '_trust', type: 'unknown-type', body: { text: hashOf('a pack') } }),
  ada
)
const PAGE: Parts = { headPackSeq: 1, nextPageToken: null, packs: [EVENT.toString('base64url')], servedAt: TS }

function pages(): Vector[] {
  const valid = (description: string, page: Parts): Vector => ({ description, page, bytes: hex(canonicalOf(page)) })
  return [
    valid('one event, and no more', PAGE),
    valid('nothing new', { ...PAGE, packs: [], headPackSeq: 7 }),
    valid('nothing at all', { ...PAGE, packs: [], headPackSeq: 0 }),
    valid('more to come', { ...PAGE, headPackSeq: 9, nextPageToken: 'eyJhIjowfQ' }),
    valid('256 events', { ...PAGE, packs: Array.from({ length: 256 }, () => 'AA') })
  ]
}

function invalidPages(): Vector[] {
  const invalid = (description: string, page: Parts, rule = 'PS-5'): Vector => {
    return { description, rule, code: 'bad-page', bytes: hex(canonicalOf(page)) }
  }
  const without = (name: string): Parts => Object.fromEntries(Object.entries(PAGE).filter(([key]) => key !== name))
  return [
    { description: 'too long', rule: 'PS-4', code: 'too-big', repeat: '20', count: 1_048_577 },
    { description: 'no bytes', rule: 'PS-4', code: 'bad-page', bytes: '' },
    { description: 'a line feed behind it', rule: 'PS-4', code: 'bad-page', bytes: `${hex(canonicalOf(PAGE))}0a` },
    ...Object.keys(PAGE).map((name) => invalid(`without ${name}`, without(name))),
    invalid('an unknown member', { ...PAGE, orgId: 'vaultmesh' }),
    invalid('a number below 0', { ...PAGE, headPackSeq: -1 }),
    invalid('a time that is none', { ...PAGE, servedAt: '2026' }),
    invalid('an empty token', { ...PAGE, nextPageToken: '' }),
    invalid('no list', { ...PAGE, packs: {} }),
    invalid('257 events', { ...PAGE, packs: Array.from({ length: 257 }, () => 'AA') }),
    invalid('an empty event', { ...PAGE, packs: [''] }),
    invalid('an event that is no text', { ...PAGE, packs: [1] }),
    invalid('an event in another alphabet', { ...PAGE, packs: ['a+b='] }),
    invalid('an event with unused bits', { ...PAGE, packs: ['AB'] }),
    invalid('an event that is too long', { ...PAGE, packs: [Buffer.alloc(49_153).toString('base64url')] }),
    invalid('an empty page before another', { ...PAGE, packs: [], nextPageToken: 'eyJhIjowfQ' }, 'PS-6')
  ]
}

const payload = (octet: number, value: Parts): string => hex(Buffer.concat([Buffer.of(octet), canonicalOf(value)]))

function answers(): Vector[] {
  const page = hex(canonicalOf(PAGE))
  const codes = ['bad-request', 'too-big', 'bad-token', 'unknown-organisation', 'denied', 'busy']
  const outcomes = [
    { outcome: 'accepted', code: '', detail: '' },
    { outcome: 'pending', code: 'PREDECESSOR_MISSING', detail: 'what it follows is not held' },
    { outcome: 'rejected', code: 'SIGNATURE_INVALID', detail: 'x'.repeat(256) }
  ]
  return [
    { description: 'a page', kind: 'page', page, payload: `01${page}` },
    ...codes.map((code) => {
      const error = { code, detail: 'a sentence' }
      return { description: `an error: ${code}`, kind: 'error', ...error, payload: payload(2, error) }
    }),
    ...outcomes.map((outcome) => {
      return { description: `an outcome: ${outcome.outcome}`, kind: 'outcome', outcome, payload: payload(3, outcome) }
    })
  ]
}

function invalidAnswers(): Vector[] {
  const outcome = { outcome: 'accepted', code: '', detail: '' }
  return [
    { description: 'no bytes', rule: 'PS-11', payload: '' },
    { description: 'an octet that says nothing', rule: 'PS-11', payload: '04' },
    { description: 'an error that is too long', rule: 'PS-12', payload: `02${'20'.repeat(4_096)}` },
    {
      description: 'an unknown code of an error',
      rule: 'PS-14',
      payload: payload(2, { code: 'not-now', detail: '' })
    },
    {
      description: 'a detail that is too long',
      rule: 'PS-14',
      payload: payload(2, { code: 'busy', detail: 'x'.repeat(257) })
    },
    { description: 'an error without detail', rule: 'PS-14', payload: payload(2, { code: 'busy' }) },
    { description: 'an unknown outcome', rule: 'PS-13', payload: payload(3, { ...outcome, outcome: 'maybe' }) },
    { description: 'a code in small letters', rule: 'PS-13', payload: payload(3, { ...outcome, code: 'busy' }) },
    { description: 'an outcome with more', rule: 'PS-13', payload: payload(3, { ...outcome, id: null }) }
  ]
}
