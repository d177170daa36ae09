import { varint } from './negentropy-exchange.ts'
import { invalidFrames } from './range-sync-invalid.ts'
import { rootOf, stateOf } from './range-sync-root.ts'
import type { PlainChain } from './range-sync-root.ts'
import { sessions } from './range-sync-sessions.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** The vectors of range-sync/v1, written from its SPEC without its codec. */
export async function rangeSyncVectors(): Promise<readonly VectorFile[]> {
  return [
    {
      path: 'range-sync/v1/vectors/frames.json',
      description:
        'Frames without the length before them (hex: `bytes`, or `prefix` and then `repeat` `count` times), the length ' +
        '(hex), and what is in them. Bytes are hex, or an object like the frame; bits are text, the first bit first. A ' +
        'list that is an object has its `element` `count` times.',
      vectors: frames()
    },
    {
      path: 'range-sync/v1/vectors/frames-invalid.json',
      description:
        'Bytes (hex: `bytes`, or `prefix` and then `repeat` `count` times) that are no frame, without the length before ' +
        'them, the rule they break and the code; with `stream`: bytes from the beginning of a length on.',
      vectors: invalidFrames()
    },
    {
      path: 'range-sync/v1/vectors/tips-roots.json',
      description:
        'Chains with the ids of their tips, in no order, their chain states, the hashes of the buckets they fall into ' +
        'by the number of the bucket, and the tips root (hex). Where a chain has a signer and a kid, they and the ' +
        'namespace `dao:vaultmesh` give its chain id.',
      vectors: tipsRoots()
    },
    {
      path: 'range-sync/v1/vectors/sessions.json',
      description:
        'All frames (hex, without lengths) of both sides before the transfer, in an order in which they may come, `>` ' +
        'being those of the initiator. An event is who holds it (`both`, `initiator`, `responder`), its chain id, id, ' +
        'predecessor (or `-`) and position. `unwanted` are chains that the initiator does not want; `initiatorSends` and ' +
        '`responderSends` are the ids of the events that follow, ascending. What is asked and how a tree is parted is ' +
        'the choice of a side, so these are not the only frames that lead there; what answers them is no choice.',
      vectors: await sessions()
    }
  ]
}

const bytes = (label: string, length: number): string =>
  hex(sha256(`anchormesh vectors: ${label}`)).slice(0, length * 2)
const MEMBERSHIP = bytes('members', 16)
const SALT = bytes('salt', 16)
const TAG = bytes('tag', 12)
const SAFE = Number.MAX_SAFE_INTEGER
const ALL_SAFE = `8f${'ff'.repeat(6)}7f`

function frames(): Vector[] {
  const vector = (description: string, frame: { readonly type: string }, octets: string): Vector => ({
    description,
    frame,
    length: leb128(octets.length / 2),
    bytes: octets
  })
  const long = (
    description: string,
    frame: { readonly type: string },
    { prefix, repeat, count }: { readonly prefix: string; readonly repeat: string; readonly count: number }
  ): Vector => {
    const length = leb128((prefix.length + repeat.length * count) / 2)
    return { description, frame, length, prefix, repeat, count }
  }
  const root = bytes('root', 32)
  const hello = (namespace: string, chains: number, number: string): [{ readonly type: string }, string] => [
    typed('hello', { namespace, membership: MEMBERSHIP, root, chains }),
    `0101${text(namespace)}${MEMBERSHIP}${root}${number}`
  ]
  const entries = Array.from({ length: 130 }, (_, index) => bytes(`entry ${index}`, 5))
  const items = [bytes('item 0', 12), bytes('item 1', 12)]
  const prefixes = [`00${bytes('chain 0', 15)}`, `ff${bytes('chain 1', 15)}`] as const
  const tips = [
    { position: 1, tag: TAG },
    { position: 128, tag: '00'.repeat(12) },
    { position: SAFE, tag: 'ff'.repeat(12) }
  ]
  const tipsBytes = `0301${TAG}8100${'00'.repeat(12)}${ALL_SAFE}${'ff'.repeat(12)}`
  const list = (element: unknown, count: number): unknown => ({ element, count })
  const head = { membership: MEMBERSHIP, salt: SALT }
  return [
    vector('hello', ...hello('dao:vaultmesh', 300, '822c')),
    vector('hello, of no chains, in a namespace of one character', ...hello('a', 0, '00')),
    vector('hello, of as many chains as a varint can tell', ...hello('_trust', SAFE, ALL_SAFE)),
    vector('hello, in the longest namespace', ...hello('a'.repeat(64), 127, '7f')),
    vector('equal', typed('equal', { membership: MEMBERSHIP }), `02${MEMBERSHIP}`),
    vector('a sketch of nothing', typed('sketch', { ...head, entries: [] }), `03${MEMBERSHIP}${SALT}00`),
    vector(
      'a sketch of 130 chains',
      typed('sketch', { ...head, entries }),
      `03${MEMBERSHIP}${SALT}8102${entries.join('')}`
    ),
    long('the longest sketch', typed('sketch', { ...head, entries: list('aabbccddee', 4096) }), {
      prefix: `03${MEMBERSHIP}${SALT}a000`,
      repeat: 'aabbccddee',
      count: 4096
    }),
    vector(
      'a tree of 5,000 chains, whose message asks for nothing',
      typed('tree', { ...head, chains: 5000, message: '61' }),
      `04${MEMBERSHIP}${SALT}a70861`
    ),
    vector(
      'a tree with an empty list of everything',
      typed('tree', { ...head, chains: 0, message: '6100000200' }),
      `04${MEMBERSHIP}${SALT}006100000200`
    ),
    vector('a negentropy message of one byte', typed('negentropy', { message: '61' }), '0561'),
    vector(
      'a negentropy message with a fingerprint',
      typed('negentropy', { message: `61000001${SALT}` }),
      `0561000001${SALT}`
    ),
    long(
      'a negentropy frame of the greatest size: a skip, and 3,449 fingerprints',
      typed('negentropy', { message: { prefix: '61020000', repeat: `020001${SALT}`, count: 3449 } }),
      { prefix: '0561020000', repeat: `020001${SALT}`, count: 3449 }
    ),
    vector(
      'chains, after a sketch of nothing, none',
      typed('chains', { more: false, matched: { of: 'sketch', bits: '' }, mine: [] }),
      '0600000000'
    ),
    vector(
      'chains, after a sketch of eight, more to come, one with tips and one that is not wanted',
      typed('chains', {
        more: true,
        matched: { of: 'sketch', bits: '10000001' },
        mine: [
          { prefix: prefixes[0], tips },
          { prefix: prefixes[1], tips: [] }
        ]
      }),
      `060100088102${prefixes[0]}${tipsBytes}${prefixes[1]}00`
    ),
    vector(
      'chains, after a sketch of nine',
      typed('chains', { more: false, matched: { of: 'sketch', bits: '011010001' }, mine: [] }),
      '06000009160100'
    ),
    vector(
      'chains, after a tree, none',
      typed('chains', { more: false, matched: { of: 'tree', missing: [] }, mine: [] }),
      '0600010000'
    ),
    vector(
      'chains, after a tree, two of the responder and one here',
      typed('chains', {
        more: false,
        matched: { of: 'tree', missing: items },
        mine: [{ prefix: prefixes[1], tips: tips.slice(0, 1) }]
      }),
      `06000102${items.join('')}01${prefixes[1]}0101${TAG}`
    ),
    long(
      'chains with as many tips of one as may be named',
      typed('chains', {
        more: false,
        matched: { of: 'sketch', bits: '1' },
        mine: [{ prefix: prefixes[0], tips: list(tips[0], 3072) }]
      }),
      { prefix: `060000010101${prefixes[0]}9800`, repeat: `01${TAG}`, count: 3072 }
    ),
    long(
      'chains with as many as one frame may name',
      typed('chains', {
        more: false,
        matched: { of: 'tree', missing: [] },
        mine: list({ prefix: prefixes[0], tips: [] }, 1024)
      }),
      { prefix: '060001008800', repeat: `${prefixes[0]}00`, count: 1024 }
    ),
    vector('an answer without entries', typed('answer', { more: false, chains: [] }), '070000'),
    vector(
      'an answer, more to come, of a chain that is not held and one that is',
      typed('answer', {
        more: true,
        chains: [
          { index: 0, held: '0', tips: [] },
          { index: 65535, held: '010000001', tips }
        ]
      }),
      `0701020001000083ff7f090201${tipsBytes}`
    ),
    long(
      'an answer with as many entries as one frame may have',
      typed('answer', { more: false, chains: list({ index: 7, held: '1', tips: [] }, 1024) }),
      { prefix: '07008800', repeat: '07010100', count: 1024 }
    ),
    vector('an empty probe', typed('probe', { more: false, chains: [] }), '080000'),
    vector(
      'a probe, more to come: an answer without samples, samples without an answer, and both',
      typed('probe', {
        more: true,
        chains: [
          { index: 1, held: '11111111', asked: [] },
          { index: 2, held: '', asked: tips },
          { index: 300, held: '001', asked: tips }
        ]
      }),
      `0801030108ff000200${tipsBytes}822c0304${tipsBytes}`
    ),
    long(
      'a probe with as many samples as one may have',
      typed('probe', { more: false, chains: [{ index: 0, held: '', asked: list(tips[0], 2048) }] }),
      { prefix: '08000100009000', repeat: `01${TAG}`, count: 2048 }
    ),
    vector('an event of one byte, as far as a frame can tell', typed('events', { events: ['00'] }), '09010100'),
    vector(
      'two events, one of 200 bytes',
      typed('events', { events: ['ab'.repeat(200), 'cd'] }),
      `09028148${'ab'.repeat(200)}01cd`
    ),
    long(
      'as many events as one frame may have, of the greatest size that it then may have',
      typed('events', { events: list('ee'.repeat(1021), 256) }),
      { prefix: '098200', repeat: `877d${'ee'.repeat(1021)}`, count: 256 }
    ),
    vector('done, with nothing', typed('done', { sent: 0, notTaken: 0, left: 0 }), '0a000000'),
    vector('done', typed('done', { sent: SAFE, notTaken: 128, left: 1 }), `0a${ALL_SAFE}810001`),
    ...['busy', 'wrong-namespace', 'too-big', 'bad-frame', 'lied', 'timeout'].map((code) =>
      vector(`the error ${code}`, typed('error', { code, detail: '' }), `0f${text(code)}00`)
    ),
    vector(
      'an error with the longest detail, in characters of one to four bytes',
      typed('error', { code: 'lied', detail: `aé€😀${'ü'.repeat(123)}` }),
      `0f${text('lied')}8200${hex(`aé€😀${'ü'.repeat(123)}`)}`
    ),
    vector(
      'an error whose detail begins with U+FEFF and holds U+0000',
      typed('error', { code: 'busy', detail: '\ufeff\u0000' }),
      `0f${text('busy')}04efbbbf00`
    )
  ]
}

function typed(type: string, fields: Readonly<Record<string, unknown>>): { readonly type: string } {
  return { type, ...fields }
}

function text(value: string): string {
  return varint(hex(value).length / 2) + hex(value)
}

/** The length before a frame: the lowest digit first. */
function leb128(length: number): string {
  const [digit, rest] = [length % 128, Math.floor(length / 128)]
  const octet = (value: number): string => value.toString(16).padStart(2, '0')
  return rest === 0 ? octet(digit) : octet(digit + 128) + leb128(rest)
}

function tipsRoots(): Vector[] {
  const vector = (description: string, chains: readonly (PlainChain & Record<string, unknown>)[]): Vector => {
    const { buckets, root } = rootOf(chains)
    const states = chains.map((chain) => ({ ...chain, state: stateOf(chain) }))
    return { description, chains: states, buckets, root }
  }
  const id = (label: string): string => bytes(label, 32)
  const [ada, bob] = ['did:web:ada.example', 'did:web:bob.example'].map((signer) => ({
    signer,
    kid: 'key-1',
    chain: hex(sha256(JSON.stringify([signer, 'key-1', 'dao:vaultmesh'])))
  })) as [PlainChain & { signer: string; kid: string }, PlainChain & { signer: string; kid: string }]
  const chain = (beginning: string, label: string, ...tips: string[]): PlainChain & Record<string, unknown> => ({
    chain: beginning + id(label).slice(beginning.length),
    tips
  })
  return [
    vector('two chains, by signer and kid', [
      { ...ada, tips: [id('tip a')] },
      { ...bob, tips: [id('tip b')] }
    ]),
    vector('no chain', []),
    vector('one chain', [chain('', 'c', id('tip'))]),
    vector('one chain that is forked, its tips in descending order', [
      chain('', 'c', 'ff'.repeat(32), id('tip'), '00'.repeat(32))
    ]),
    vector('the first bucket and the last', [chain('000', 'c', id('tip 0')), chain('fff', 'd', id('tip 1'))]),
    vector('two chains in one bucket, the greater first', [
      chain('abcf', 'c', id('tip 0')),
      chain('abc0', 'd', id('tip 1'))
    ]),
    vector('two chains in buckets side by side, of one group and of two', [
      chain('03e', 'c', id('tip 0')),
      chain('03f', 'd', id('tip 1')),
      chain('040', 'e', id('tip 2'))
    ]),
    vector('two chains with one tip, as far as the root can tell', [
      chain('', 'c', id('tip')),
      chain('', 'd', id('tip'))
    ]),
    vector(
      '40 chains, some forked',
      Array.from({ length: 40 }, (_, index) =>
        chain('', `chain ${index}`, ...Array.from({ length: 1 + (index % 3) }, (__, tip) => id(`tip ${index} ${tip}`)))
      )
    )
  ]
}
