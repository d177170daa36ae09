import type { Vector, VectorFile } from './vector-file.ts'
import { hex, sha256 } from './vector-file.ts'

type Detail = Readonly<Record<string, string | number | boolean | null>>

interface Content {
  readonly at: number
  readonly requestId: string
  readonly action: string
  readonly actor: string
  readonly subject: string
  readonly outcome: string
  readonly code: string | null
  readonly detail: Detail
}

interface Sealed extends Content {
  readonly seq: number
  readonly prev: string
  readonly hash: string
}

const GENESIS = '0'.repeat(64)
const AT = 1_764_590_400_123

const KEY_REVOKED: Content = {
  at: AT,
  requestId: 'mh2k9x-17',
  action: 'KEY_REVOKED',
  actor: 'operator',
  subject: 'vaultmesh#2026-1',
  outcome: 'ok',
  code: null,
  detail: { packSeq: 4, reason: 'compromised' }
}
const REFUSED: Content = {
  at: AT + 59_877,
  requestId: 'a1b2c3',
  action: 'EVENTS_REFUSED',
  actor: '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo',
  subject: 'gossip',
  outcome: 'refused',
  code: 'SIGNATURE_INVALID',
  detail: { count: 312 }
}
const FAILED: Content = {
  at: AT + 60_000,
  requestId: 'x',
  action: 'BACKUP_MADE',
  actor: 'operator',
  subject: String.raw`C:\backup "März" [1]`,
  outcome: 'failed',
  code: 'STORE_FULL',
  detail: { free: 0.5, whole: false, at: null }
}

/** Members in order of their names; all of them are ASCII. */
function ordered(value: object): string {
  const members = Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]: [string, unknown]) => {
      const text = typeof member === 'object' && member !== null ? ordered(member) : JSON.stringify(member)
      return `${JSON.stringify(name)}:${text}`
    })
  return `{${members.join(',')}}`
}

function sealed(content: Content, seq: number, prev: string): Sealed {
  const unhashed = { ...content, seq, prev }
  return { ...unhashed, hash: sha256(ordered(unhashed)).toString('hex') }
}

function chainOf(...contents: readonly Content[]): Sealed[] {
  const records: Sealed[] = []
  for (const content of contents) records.push(sealed(content, records.length + 1, records.at(-1)?.hash ?? GENESIS))
  return records
}

const CHAIN = chainOf(KEY_REVOKED, REFUSED, FAILED, { ...KEY_REVOKED, at: AT + 61_000, subject: 'vaultmesh#2026-2' })
const [FIRST, SECOND, THIRD, FOURTH] = CHAIN as [Sealed, Sealed, Sealed, Sealed]

const line = (record: object): string => hex(ordered(record))
/** A change after which the hash is right again. */
const changed = (change: object): string => {
  const { hash: _, ...content } = { ...FIRST, ...change } as Sealed
  return line({ ...content, hash: sha256(ordered(content)).toString('hex') })
}
const without = (name: string): string => {
  const { [name]: _, ...rest } = FIRST as unknown as Record<string, unknown>
  return line(rest)
}

const INVALID: readonly (readonly [description: string, rule: string, code: string, bytes: string])[] = [
  ['more than 4,096 bytes', 'AU-1', 'RECORD_TOO_LARGE', hex(' '.repeat(4_097))],
  ['white space', 'AU-2', 'RECORD_MALFORMED', hex(` ${ordered(FIRST)}`)],
  ['members in another order', 'AU-2', 'RECORD_MALFORMED', hex(JSON.stringify(FIRST))],
  ['half a record', 'AU-2', 'RECORD_MALFORMED', hex(ordered(FIRST).slice(0, 200))],
  ['no object', 'AU-3', 'RECORD_INVALID', hex('[]')],
  ['a member that is missing', 'AU-3', 'RECORD_INVALID', without('actor')],
  ['a member too many', 'AU-3', 'RECORD_INVALID', changed({ more: 1 })],
  ['record 0', 'AU-4', 'RECORD_INVALID', changed({ seq: 0 })],
  ['a time before 1970', 'AU-4', 'RECORD_INVALID', changed({ at: -1 })],
  ['a request id with a space', 'AU-4', 'RECORD_INVALID', changed({ requestId: 'a b' })],
  ['an action in lower case', 'AU-4', 'RECORD_INVALID', changed({ action: 'key' })],
  ['an action of 33 characters', 'AU-4', 'RECORD_INVALID', changed({ action: 'A'.repeat(33) })],
  ['no actor', 'AU-4', 'RECORD_INVALID', changed({ actor: '' })],
  ['an actor of 258 bytes in 129 characters', 'AU-4', 'RECORD_INVALID', changed({ actor: 'ä'.repeat(129) })],
  ['a subject of 513 bytes', 'AU-4', 'RECORD_INVALID', changed({ subject: 'a'.repeat(513) })],
  ['an outcome of another name', 'AU-4', 'RECORD_INVALID', changed({ outcome: 'maybe' })],
  ['a code with a space', 'AU-4', 'RECORD_INVALID', changed({ code: 'A B' })],
  ['a list in the detail', 'AU-4', 'RECORD_INVALID', changed({ detail: { kids: {} } })],
  [
    'seventeen members in the detail',
    'AU-4',
    'RECORD_INVALID',
    changed({ detail: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`n${index}`, index])) })
  ],
  ['a name with a space in the detail', 'AU-4', 'RECORD_INVALID', changed({ detail: { 'a b': 1 } })],
  ['a hash in upper case', 'AU-4', 'RECORD_INVALID', line({ ...FIRST, hash: FIRST.hash.toUpperCase() })],
  ['another actor', 'AU-6', 'RECORD_ALTERED', line({ ...FIRST, actor: 'node' })],
  [
    'a hash with one digit changed',
    'AU-6',
    'RECORD_ALTERED',
    line({ ...FIRST, hash: `${'0'.repeat(8)}${FIRST.hash.slice(8)}` })
  ]
]

const BASE = { seq: 0, hash: GENESIS }

interface ChainVector {
  readonly description: string
  readonly base: { readonly seq: number; readonly hash: string }
  readonly records: readonly { readonly seq: number; readonly bytes: string }[]
  /** Of the first record that is wrong, with its rule. */
  readonly brokenAt: readonly [seq: number, rule: string] | null
}

const at = (record: Sealed, bytes: string = line(record)): { seq: number; bytes: string } => ({
  seq: record.seq,
  bytes
})
const swapped = sealed(REFUSED, 2, THIRD.hash)

const CHAINS: readonly ChainVector[] = [
  { description: 'four records', base: BASE, records: CHAIN.map((record) => at(record)), brokenAt: null },
  { description: 'no record', base: BASE, records: [], brokenAt: null },
  {
    description: 'the first two were dropped',
    base: { seq: 2, hash: SECOND.hash },
    records: [at(THIRD), at(FOURTH)],
    brokenAt: null
  },
  {
    description: 'a base of another hash',
    base: { seq: 2, hash: FIRST.hash },
    records: [at(THIRD), at(FOURTH)],
    brokenAt: [3, 'AU-8']
  },
  {
    description: 'a record in the middle is missing',
    base: BASE,
    records: [at(FIRST), at(THIRD), at(FOURTH)],
    brokenAt: [2, 'AU-8']
  },
  {
    description: 'the first record is missing, and nothing was dropped',
    base: BASE,
    records: [at(SECOND), at(THIRD)],
    brokenAt: [1, 'AU-8']
  },
  {
    description: 'a record was altered',
    base: BASE,
    records: [at(FIRST), at(SECOND, line({ ...SECOND, actor: 'somebody' })), at(THIRD)],
    brokenAt: [2, 'AU-6']
  },
  {
    description: 'a record was altered, and its hash made anew',
    base: BASE,
    records: [at(FIRST), at(SECOND, line(sealed({ ...REFUSED, actor: 'somebody' }, 2, FIRST.hash))), at(THIRD)],
    brokenAt: [3, 'AU-8']
  },
  {
    description: 'a record follows another one',
    base: BASE,
    records: [at(FIRST), at(swapped)],
    brokenAt: [2, 'AU-8']
  },
  {
    description: 'a record stands at the place of another one',
    base: BASE,
    records: [at(FIRST), { seq: 2, bytes: line(THIRD) }],
    brokenAt: [2, 'AU-8']
  }
]

const MARK = Buffer.from([0xef, 0xbb, 0xbf])

function frame(head: string, text: string): string {
  const message = Buffer.concat([Buffer.from(head), MARK, Buffer.from(text)])
  return hex(Buffer.concat([Buffer.from(`${message.length} `), message]))
}

const HOST = 'node-1.vaultmesh.example'
const syslogHead = (priority: number, time: string, host: string, id: string): string =>
  `<${priority}>1 ${time} ${host} anchormesh - ${id} `

const SYSLOG: readonly Vector[] = [
  {
    description: 'something was done',
    hostname: HOST,
    record: FIRST,
    frame: frame(
      `${syslogHead(110, '2025-12-01T12:00:00.123Z', HOST, 'KEY_REVOKED')}[audit@32473 seq="1" requestId="mh2k9x-17" actor="operator" subject="vaultmesh#2026-1" outcome="ok"] `,
      ordered(FIRST)
    )
  },
  {
    description: 'something was refused; a machine without a name',
    hostname: '',
    record: SECOND,
    frame: frame(
      `${syslogHead(108, '2025-12-01T12:01:00.000Z', '-', 'EVENTS_REFUSED')}[audit@32473 seq="2" requestId="a1b2c3" actor="${REFUSED.actor}" subject="gossip" outcome="refused" code="SIGNATURE_INVALID"] `,
      ordered(SECOND)
    )
  },
  {
    description: 'something failed; characters that are escaped; a name with others than PRINTUSASCII',
    hostname: 'büro 1',
    record: THIRD,
    frame: frame(
      `${syslogHead(107, '2025-12-01T12:01:00.123Z', 'bro1', 'BACKUP_MADE')}[audit@32473 seq="3" requestId="x" actor="operator" subject="C:\\\\backup \\"März\\" [1\\]" outcome="failed" code="STORE_FULL"] `,
      ordered(THIRD)
    )
  },
  {
    description: 'records that are no longer kept',
    hostname: HOST,
    gap: { fromSeq: 4, toSeq: 1_003, reason: 'retention', at: AT },
    frame: frame(
      `${syslogHead(107, '2025-12-01T12:00:00.123Z', HOST, 'AUDIT_GAP')}[gap@32473 fromSeq="4" toSeq="1003" reason="retention"] `,
      '{"fromSeq":4,"reason":"retention","toSeq":1003}'
    )
  }
]

export function auditVectors(): readonly VectorFile[] {
  return [
    {
      path: 'audit/v1/vectors/records.json',
      description: '`content` is a record without its hash, `bytes` (hex) the record, `hash` its hash.',
      vectors: CHAIN.map(({ hash, ...content }) => ({
        description: `${content.action} as record ${content.seq}`,
        content,
        bytes: line({ ...content, hash }),
        hash
      }))
    },
    {
      path: 'audit/v1/vectors/records-invalid.json',
      description: '`bytes` (hex) are refused with `code`, because they break `rule`.',
      vectors: INVALID.map(([description, rule, code, bytes]) => ({ description, rule, code, bytes }))
    },
    {
      path: 'audit/v1/vectors/chains.json',
      description:
        '`records` stand behind `base`: `bytes` (hex) at the place `seq`. Where `brokenAt` is null the chain is whole, else it is broken there, because `rule` is.',
      vectors: CHAINS.map(({ brokenAt, ...vector }) => ({
        ...vector,
        brokenAt: brokenAt?.[0] ?? null,
        ...(brokenAt === null ? {} : { rule: brokenAt[1] })
      }))
    },
    {
      path: 'audit/v1/vectors/syslog.json',
      description: '`record` or `gap`, sent from the machine `hostname`, is the bytes `frame` (hex).',
      vectors: SYSLOG
    }
  ]
}
