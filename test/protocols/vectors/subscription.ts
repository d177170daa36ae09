import type { Vector, VectorFile } from './vector-file.ts'

interface Frame {
  readonly frame: string
  readonly logSeq: number
  readonly cursor: string | null
  readonly [member: string]: unknown
}

const ROW = { namespace: 'dao:vaultmesh', owner: 'vaultmesh', batchId: 'batch-1', effect: null }
const KEY = 'dao:vaultmesh!vaultmesh!batch-1'

const snapshot = (logSeq: number, key: string, cursor: string): Frame => ({
  frame: 'snapshot',
  logSeq,
  cursor,
  key,
  row: { key }
})
const change = (logSeq: number, key: string, cursor: string | null, row: object | null = { key, logSeq }): Frame => ({
  frame: 'change',
  logSeq,
  cursor,
  key,
  row
})
const bare = (frame: string, logSeq: number, cursor: string | null): Frame => ({ frame, logSeq, cursor })
const error = (logSeq: number, cursor: string | null): Frame => ({
  frame: 'error',
  logSeq,
  cursor,
  code: 'NODE_NOT_RUNNING',
  detail: 'the node is stopping',
  retryable: true
})
const won = (logSeq: number, key: string, cursor: string): Frame => ({
  frame: 'winner-changed',
  logSeq,
  cursor,
  key,
  previous: null,
  winner: { chainId: 'btc:mainnet' },
  cause: 'first',
  rule: null
})

/** RFC 6455 section 5.2, written out. */
function message(json: string): Buffer {
  const payload = Buffer.from(json)
  const { length } = payload
  const header = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : []
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(BigInt(length))
  return Buffer.concat([
    Buffer.from([0x81]),
    length < 65_536 ? Buffer.from(header) : Buffer.from([127, ...long]),
    payload
  ])
}

function encoded(description: string, frame: Frame): Vector {
  const json = JSON.stringify(frame)
  const event = `${frame.cursor === null ? '' : `id: ${frame.cursor}\n`}data: ${json}\n\n`
  return { description, frame, event: Buffer.from(event).toString('hex'), message: message(json).toString('hex') }
}

const FRAMES: readonly Vector[] = [
  encoded('a row of the snapshot', { frame: 'snapshot', logSeq: 7, cursor: 'WyJhIl0', key: KEY, row: ROW }),
  encoded('a row that is gone', change(8, KEY, 'WyJiIl0', null)),
  encoded('text that is not ASCII', change(9, KEY, 'WyJjIl0', { note: 'März\n"二"' })),
  encoded('another winner', won(9, KEY, 'WyJkIl0')),
  encoded('all that there was', bare('caught-up', 9, 'WyJlIl0')),
  encoded('nothing for this reader', bare('checkpoint', 1_033, 'WyJmIl0')),
  encoded('silence before the first cursor', bare('keep-alive', 0, null)),
  encoded('an end with a code', error(9, 'WyJlIl0')),
  encoded('an end with a name of its own', {
    frame: 'cursor-too-old',
    logSeq: 3,
    cursor: 'WyJnIl0',
    detail: 'changes after position 3 are no longer kept',
    oldest: 4_100
  }),
  encoded('of another epoch', {
    frame: 'cursor-foreign',
    logSeq: 0,
    cursor: null,
    detail: 'the cursor is of epoch 0011223344556677 and projection batches',
    epoch: '8899aabbccddeeff'
  }),
  encoded('a length that takes two bytes', change(10, KEY, 'WyJoIl0', { note: 'x'.repeat(200) })),
  encoded('a length that takes eight bytes', change(10, KEY, 'WyJpIl0', { note: 'x'.repeat(65_536) })),
  encoded('a member that is not known is ignored', { ...bare('caught-up', 9, 'WyJlIl0'), later: true })
]

const INVALID: readonly Vector[] = [
  { description: 'no object', rule: 'SU-1', json: '[]' },
  { description: 'a frame that is not known', rule: 'SU-1', json: '{"frame":"row","logSeq":1,"cursor":"a"}' },
  { description: 'no logSeq', rule: 'SU-1', json: '{"frame":"caught-up","cursor":"a"}' },
  { description: 'a logSeq that is no integer', rule: 'SU-1', json: '{"frame":"caught-up","logSeq":1.5,"cursor":"a"}' },
  { description: 'a logSeq below 0', rule: 'SU-1', json: '{"frame":"caught-up","logSeq":-1,"cursor":"a"}' },
  { description: 'no cursor, where null was meant', rule: 'SU-1', json: '{"frame":"keep-alive","logSeq":1}' },
  {
    description: 'a change without its key',
    rule: 'SU-1',
    json: '{"frame":"change","logSeq":1,"cursor":"a","row":null}'
  },
  {
    description: 'a snapshot of a row that is gone',
    rule: 'SU-1',
    json: '{"frame":"snapshot","logSeq":1,"cursor":"a","key":"k","row":null}'
  },
  {
    description: 'a cause that is not known',
    rule: 'SU-1',
    json: '{"frame":"winner-changed","logSeq":1,"cursor":"a","key":"k","previous":null,"winner":null,"cause":"x","rule":null}'
  },
  {
    description: 'an error without a code',
    rule: 'SU-1',
    json: '{"frame":"error","logSeq":1,"cursor":"a","detail":"d","retryable":true}'
  }
]

const sequence = (description: string, hasCursor: boolean, frames: readonly Frame[]): Vector => ({
  description,
  hasCursor,
  frames,
  rows: Object.fromEntries(rowsAfter(frames))
})

function rowsAfter(frames: readonly Frame[]): Map<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const { frame, key, row } of frames) {
    if (frame !== 'snapshot' && frame !== 'change') continue
    if (row === null) rows.delete(String(key))
    else rows.set(String(key), row)
  }
  return rows
}

const SEQUENCES: readonly Vector[] = [
  sequence('all rows, then changes', false, [
    snapshot(5, 'a', 's1'),
    snapshot(5, 'b', 's2'),
    bare('caught-up', 5, 'c5'),
    change(6, 'a', 'c5'),
    change(6, 'c', 'c6'),
    bare('keep-alive', 6, 'c6')
  ]),
  sequence('nothing there yet', false, [bare('caught-up', 1, 'c1'), bare('checkpoint', 1_025, 'c1025')]),
  sequence('changes since a cursor', true, [
    bare('keep-alive', 5, 'c5'),
    change(9, 'b', 'c5', null),
    change(9, 'a', 'c9'),
    bare('caught-up', 9, 'c9')
  ]),
  sequence('a long snapshot: what has changed meanwhile comes in between', false, [
    snapshot(5, 'a', 's1'),
    change(7, 'a', 's1b', null),
    snapshot(7, 'b', 's2'),
    bare('caught-up', 7, 'c7')
  ]),
  sequence('another winner belongs to the change before it', true, [
    change(9, 'a', 'c5'),
    won(9, 'a', 'c9'),
    bare('caught-up', 9, 'c9')
  ]),
  sequence('an end before anything else', false, [error(0, null)]),
  sequence('an end in the middle of a run: the cursor is that of before it', true, [
    change(9, 'b', 'c5'),
    { ...bare('consumer-too-slow', 9, 'c5'), detail: 'the connection did not take what was sent' }
  ])
]

const broken = (rule: string, description: string, hasCursor: boolean, frames: readonly Frame[]): Vector => ({
  description,
  rule,
  hasCursor,
  frames
})

const SEQUENCES_INVALID: readonly Vector[] = [
  broken('SU-2', 'a frame after an end', false, [error(0, null), bare('caught-up', 1, 'c1')]),
  broken('SU-3', 'a position that goes down', true, [change(9, 'a', 'c9'), change(8, 'b', 'c8')]),
  broken('SU-4', 'a second caught-up', false, [bare('caught-up', 1, 'c1'), bare('caught-up', 2, 'c2')]),
  broken('SU-4', 'a row of the snapshot after caught-up', false, [bare('caught-up', 1, 'c1'), snapshot(2, 'a', 's')]),
  broken('SU-4', 'a checkpoint before caught-up', true, [bare('checkpoint', 1, 'c1')]),
  broken('SU-5', 'a row of the snapshot twice', false, [snapshot(5, 'a', 's1'), snapshot(5, 'a', 's1')]),
  broken('SU-5', 'keys that descend', false, [snapshot(5, 'b', 's1'), snapshot(5, 'a', 's2')]),
  broken('SU-6', 'another winner without a change', true, [won(9, 'a', 'c9')]),
  broken('SU-6', 'another winner of another row', true, [change(9, 'b', 'c5'), won(9, 'a', 'c9')]),
  broken('SU-9', 'a row without a cursor', false, [{ ...snapshot(5, 'a', ''), cursor: null }]),
  broken('SU-9', 'a cursor that is there no more', true, [bare('keep-alive', 5, null)])
]

export function subscriptionVectors(): readonly VectorFile[] {
  return [
    {
      path: 'subscription/v1/vectors/frames.json',
      description:
        'frame is the frame; event its bytes as a Server-Sent Event, message its bytes as an unmasked WebSocket message, both in hex. The JSON in both is that of frame, members in their order, without spaces.',
      vectors: FRAMES
    },
    {
      path: 'subscription/v1/vectors/frames-invalid.json',
      description: 'json is no frame; rule names what it breaks.',
      vectors: INVALID
    },
    {
      path: 'subscription/v1/vectors/sequences.json',
      description:
        'frames as they come to a reader; hasCursor says whether it asked with a cursor; rows is what it has in the end, by key, beside what it had before.',
      vectors: SEQUENCES
    },
    {
      path: 'subscription/v1/vectors/sequences-invalid.json',
      description: 'frames of which the last breaks the rule that is named; those before it are in order.',
      vectors: SEQUENCES_INVALID
    }
  ]
}
