import { answerPlainly, fingerprintOf, firstMessage, INFINITY, ordered, varint } from './negentropy-exchange.ts'
import type { Row, Side } from './negentropy-exchange.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** The vectors of negentropy/v1, written from its SPEC without its codec. */
export function negentropyVectors(): readonly VectorFile[] {
  return [
    {
      path: 'negentropy/v1/vectors/messages.json',
      description:
        'Messages (hex) with their ranges. A timestamp is a decimal, 18446744073709551615 being infinity; prefixes, ' +
        'fingerprints and ids are hex. `tail` is what follows the last range (NG-9).',
      vectors: messages()
    },
    {
      path: 'negentropy/v1/vectors/messages-invalid.json',
      description: 'Bytes (hex) that are no message, with the rule they break and the code.',
      vectors: invalidMessages()
    },
    {
      path: 'negentropy/v1/vectors/fingerprints.json',
      description: 'Ids, and the fingerprint of them all (all hex).',
      vectors: fingerprints()
    },
    {
      path: 'negentropy/v1/vectors/exchanges.json',
      description:
        'All messages (hex) between an initiator, whose are the first, third and so on, and a responder. Items are ' +
        'their timestamp (decimal) and id (hex), not in order; `limit` is in bytes, 0 for none; `parts` and ' +
        '`initialParts` are those of NG-17 and NG-14; `have` and `need` are the ids that only the initiator and only ' +
        'the responder has, ascending.',
      vectors: exchanges()
    }
  ]
}

const AA = 'aa'.repeat(32)
const BB = 'bb'.repeat(32)
const MAX = 'ff'.repeat(32)
const EMPTY = fingerprintOf([])
const DAY = 1_767_225_600_000n

const idOf = (label: string): string => hex(sha256(`anchormesh vectors: ${label}`))

type PlainRange = readonly [timestamp: bigint, idPrefix: string, payload: string | readonly string[] | null]

function messages(): Vector[] {
  const message = (description: string, ranges: readonly PlainRange[], tail = ''): Vector => {
    let last = 0n
    let text = '61'
    for (const [timestamp, prefix, payload] of ranges) {
      text += (timestamp === INFINITY ? '00' : varint(timestamp - last + 1n)) + varint(prefix.length / 2) + prefix
      last = timestamp
      if (payload === null) text += '00'
      else text += typeof payload === 'string' ? `01${payload}` : `02${varint(payload.length)}${payload.join('')}`
    }
    const named = ranges.map(([timestamp, idPrefix, payload]) => {
      const upper = { timestamp: String(timestamp), idPrefix }
      if (payload === null) return { upper, mode: 'skip' }
      return typeof payload === 'string'
        ? { upper, mode: 'fingerprint', fingerprint: payload }
        : { upper, mode: 'ids', ids: payload }
    })
    return { description, message: text + tail, ranges: named, ...(tail === '' ? {} : { tail }) }
  }
  const list = Array.from({ length: 200 }, (_, index) => idOf(`${index}`))
  return [
    message('a skip, a fingerprint and a list', [
      [1n, '', null],
      [DAY, '80', EMPTY],
      [INFINITY, '', [AA]]
    ]),
    message('nothing', []),
    message('an empty list of everything', [[INFINITY, '', []]]),
    message('ranges that end before infinity', [[5n, '', EMPTY]]),
    message('a list of 200 ids, in no order, over many timestamps', [[INFINITY, '', list]]),
    message('bounds within one timestamp', [
      [7n, '00'.repeat(31) + '01', null],
      [7n, '01', EMPTY],
      [7n, '0100ff', null],
      [7n, MAX, [`0100ff${'00'.repeat(29)}`, `${'ff'.repeat(31)}fe`]]
    ]),
    message('a list up to the beginning of the next timestamp', [
      [7n, '', null],
      [8n, '0000', [AA, BB]]
    ]),
    message('a prefix that ends with zeros', [[0n, '0100', EMPTY]]),
    message('the last timestamp of all, and its last id', [
      [INFINITY - 1n, MAX, null],
      [INFINITY, '', [MAX]]
    ]),
    ...[127n, 128n, 2n ** 31n, 2n ** 32n, 2n ** 49n, 2n ** 53n, 2n ** 63n].map((timestamp) =>
      message(`the timestamp ${timestamp}`, [[timestamp, '', EMPTY]])
    ),
    message('the empty range after infinity', [[INFINITY, '', [AA]]], `000001${EMPTY}`)
  ]
}

function invalidMessages(): Vector[] {
  const invalid = (rule: string, code: string, description: string, message: string): Vector => ({
    description,
    rule,
    code,
    message
  })
  const range = (bound: string): string => `${bound}01${EMPTY}`
  const tooLarge = `82${'80'.repeat(8)}00`
  return [
    invalid('NG-1', 'VARINT_NOT_MINIMAL', 'a timestamp with a leading zero digit', '6180010000'),
    invalid('NG-1', 'VARINT_NOT_MINIMAL', 'a length with a leading zero digit', '6102800000'),
    invalid('NG-1', 'VARINT_NOT_MINIMAL', 'a mode with a leading zero digit', `6102008001${EMPTY}`),
    invalid('NG-1', 'VARINT_NOT_MINIMAL', 'a count with a leading zero digit', `610000028001${AA}`),
    invalid('NG-1', 'VARINT_TOO_LARGE', 'the timestamp 2^64', `61${tooLarge}0000`),
    invalid('NG-1', 'VARINT_TOO_LARGE', 'eleven digits', `61${'81'.repeat(10)}000000`),
    invalid('NG-1', 'VARINT_TOO_LARGE', 'a count of 2^64', `61000002${tooLarge}`),
    invalid('NG-1', 'VARINT_TOO_LARGE', 'a length of 2^64', `6102${tooLarge}`),
    invalid('NG-1', 'VARINT_TOO_LARGE', 'a mode of 2^64', `610200${tooLarge}`),
    ...['00', '60', '62', '6f', '70', 'e1'].map((version) =>
      invalid('NG-3', 'VERSION_UNKNOWN', `the version byte ${version}`, `${version}00000200`)
    ),
    invalid('NG-5', 'TIMESTAMP_TOO_LARGE', 'infinity by its number', `61020000${varint(INFINITY)}0000`),
    invalid(
      'NG-5',
      'TIMESTAMP_TOO_LARGE',
      'two timestamps that add up to more',
      `61${`${varint(2n ** 63n + 1n)}0000`.repeat(2)}`
    ),
    invalid('NG-5', 'ID_PREFIX_TOO_LONG', 'a prefix of 33 bytes', `610121${'aa'.repeat(33)}00`),
    invalid('NG-5', 'ID_PREFIX_TOO_LONG', 'a prefix of 2^64 - 1 bytes', `6101${varint(INFINITY)}00`),
    invalid('NG-5', 'INFINITY_WITH_PREFIX', 'infinity with a prefix', '610001aa00'),
    invalid('NG-6', 'MODE_UNKNOWN', 'the mode 3', '61000003'),
    invalid('NG-6', 'MODE_UNKNOWN', 'the mode 2^32, which is 0 in 32 bits', `610000${varint(2n ** 32n)}`),
    invalid('NG-7', 'TRUNCATED', 'no byte', ''),
    invalid('NG-7', 'TRUNCATED', 'a timestamp without its end', '6181'),
    invalid('NG-7', 'TRUNCATED', 'a timestamp alone', '6102'),
    invalid('NG-7', 'TRUNCATED', 'a prefix without its end', '610202aa'),
    invalid('NG-7', 'TRUNCATED', 'a bound without a mode', '610000'),
    invalid('NG-7', 'TRUNCATED', 'a fingerprint without its last byte', `61${range('0000').slice(0, -2)}`),
    invalid('NG-7', 'TRUNCATED', 'a list without its count', '61000002'),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'a first range that holds nothing', `61${range('0100')}`),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'a first range that holds nothing, by zeros', `61${range('01020000')}`),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'one bound twice', `61${range('0501aa')}${range('0101aa')}`),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'one bound twice, with zeros', `61${range('0501aa')}${range('0102aa00')}`),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'a prefix below the one before', `61${range('0501aa')}${range('0101a9')}`),
    invalid('NG-8', 'RANGES_NOT_ASCENDING', 'no prefix after one', `61${range('0501aa')}${range('0100')}`),
    invalid('NG-9', 'TRAILING_BYTES', 'a byte after infinity', '6100000000'),
    invalid('NG-9', 'TRAILING_BYTES', 'a skip after infinity', '61000000000000'),
    invalid('NG-9', 'TRAILING_BYTES', 'another fingerprint after infinity', `61000000000001${'00'.repeat(16)}`),
    invalid('NG-9', 'TRAILING_BYTES', 'the empty range after infinity twice', `61000000${`000001${EMPTY}`.repeat(2)}`),
    invalid('NG-10', 'ID_LIST_TOO_LONG', 'two ids, of which one is there', `6100000202${AA}`),
    invalid('NG-10', 'ID_LIST_TOO_LONG', 'an id without its last byte', `6100000201${AA.slice(2)}`),
    invalid('NG-10', 'ID_LIST_TOO_LONG', 'a count of 2^64 - 1', `61000002${varint(INFINITY)}${AA}`),
    invalid(
      'NG-10',
      'ID_LIST_TOO_LONG',
      'a count of 2^59, 32 times which is 0 in 64 bits',
      `61000002${varint(2n ** 59n)}`
    ),
    invalid(
      'NG-11',
      'ID_OUTSIDE_RANGE',
      'an id at the end of its range',
      `61${range('0601aa')}0101bb0201bb${'00'.repeat(31)}`
    ),
    invalid('NG-11', 'ID_OUTSIDE_RANGE', 'an id below its range', `61${range('0601aa')}0101bb0201a9${'ff'.repeat(31)}`),
    invalid('NG-11', 'ID_OUTSIDE_RANGE', 'below, up to the next timestamp', `61${range('0601bb')}02000201${AA}`),
    invalid('NG-11', 'IDS_NOT_ASCENDING', 'ids that descend', `6106000002000202${BB}${AA}`),
    invalid('NG-12', 'ID_TWICE', 'an id twice in a row, within one timestamp', `6106000002000202${AA}${AA}`),
    invalid('NG-12', 'ID_TWICE', 'an id twice, over many timestamps', `6100000203${AA}${BB}${AA}`)
  ]
}

function fingerprints(): Vector[] {
  const vector = (description: string, ids: readonly string[]): Vector => ({
    description,
    ids,
    fingerprint: fingerprintOf(ids)
  })
  const one = `01${'00'.repeat(31)}`
  return [
    vector('no id', []),
    vector('one id', [idOf('0')]),
    vector('an id of zeros, which is not nothing', ['00'.repeat(32)]),
    vector('the largest id', [MAX]),
    vector('a sum of 2^256', [MAX, one]),
    vector('a carry through all bytes but the last', [`${'ff'.repeat(31)}00`, one]),
    vector('a carry into every other limb', ['ffffffff00000000'.repeat(4), '0100000000000000'.repeat(4)]),
    vector('one id twice, which an exclusive or would cancel', [AA, AA]),
    vector(
      '127 ids',
      Array.from({ length: 127 }, (_, index) => idOf(`${index}`))
    ),
    vector(
      '128 ids, whose count has two digits',
      Array.from({ length: 128 }, (_, index) => idOf(`${index}`))
    )
  ]
}

interface Setting {
  readonly limit?: number
  readonly parts?: number
  readonly initialParts?: number
}

function exchanges(): Vector[] {
  const rows = (count: number, timestampOf: (index: number) => bigint): Row[] =>
    Array.from({ length: count }, (_, index) => ({ timestamp: timestampOf(index), id: idOf(`item ${index}`) }))
  const daily = rows(300, (index) => DAY + BigInt(index % 40) * 86_400_000n)
  const close = Array.from({ length: 64 }, (_, index) => ({
    timestamp: 2n ** 63n,
    id: `${'ab'.repeat(30)}${index.toString(16).padStart(4, '0')}`
  }))
  return [
    exchange('nothing on either side', [], []),
    exchange('nothing on the side of the initiator', [], daily.slice(0, 3)),
    exchange('nothing on the side of the responder', daily.slice(0, 3), []),
    exchange('31 items, which are listed', daily.slice(0, 31), daily.slice(1, 32)),
    exchange('32 items, which are split', daily.slice(0, 32), daily.slice(1, 33)),
    exchange('the same', daily.slice(0, 100), daily.slice(0, 100)),
    exchange('one timestamp, ids that differ at their end, 64 bits', close, close.slice(0, 40)),
    exchange('three parts', daily.slice(0, 120), daily.slice(5, 120), { parts: 3 }),
    exchange('eighty parts, then four', daily.slice(0, 200), daily.slice(1, 200), { parts: 4, initialParts: 80 }),
    exchange('a list that does not fit', [], daily, { limit: 4096 }),
    exchange('a list that ends with the frame, at infinity', [], daily.slice(0, 122), { limit: 4096 }),
    exchange(
      'parts that do not fit',
      daily.filter((_, index) => index % 3 > 0),
      daily.filter((_, index) => index % 7 > 0),
      {
        limit: 4096,
        initialParts: 1000
      }
    )
  ]
}

function exchange(description: string, mine: readonly Row[], theirs: readonly Row[], setting: Setting = {}): Vector {
  const { limit = 0, parts = 16, initialParts = parts } = setting
  const initiator: Side = { rows: ordered(mine), limit, parts }
  const responder: Side = { rows: ordered(theirs), limit, parts }
  const [have, need] = [new Set<string>(), new Set<string>()]
  const sent: string[] = []
  for (let message = firstMessage(initiator, initialParts); message !== '61';) {
    const back = answerPlainly(responder, message, false).message
    sent.push(message, back)
    const next = answerPlainly(initiator, back, true)
    for (const id of next.have) have.add(id)
    for (const id of next.need) need.add(id)
    message = next.message
  }
  const items = (rows: readonly Row[]): string[] => rows.map(({ timestamp, id }) => `${timestamp} ${id}`)
  return {
    description,
    limit,
    parts,
    initialParts,
    initiator: items(mine),
    responder: items(theirs),
    messages: sent,
    have: [...have].toSorted(),
    need: [...need].toSorted()
  }
}
