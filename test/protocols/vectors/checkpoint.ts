import { createHash } from 'node:crypto'
import { ada, bob, hashOf } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const EPOCH = '9f8a1c52be07d3e4'
const OTHER_EPOCH = '00000000000000ff'

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Leaf hashes of records whose hashes are made from labels; `rewrittenFrom` on they are others. */
function leaves(count: number, rewrittenFrom = Infinity): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    sha256(Buffer.of(0), Buffer.from(hashOf(index < rewrittenFrom ? `record ${index}` : `changed ${index}`), 'hex'))
  )
}

/** MTH of RFC 9162 section 2.1.1, as it stands there. */
function mth(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes
  if (first === undefined) return sha256()
  if (hashes.length === 1) return first
  const k = 2 ** Math.floor(Math.log2(hashes.length - 1))
  return sha256(Buffer.of(1), mth(hashes.slice(0, k)), mth(hashes.slice(k)))
}

/** SUBPROOF of RFC 9162 section 2.1.4.1, as it stands there. */
function subproof(m: number, hashes: readonly Buffer[], isWhole: boolean): Buffer[] {
  const n = hashes.length
  if (m === n) return isWhole ? [] : [mth(hashes)]
  const k = 2 ** Math.floor(Math.log2(n - 1))
  if (m <= k) return [...subproof(m, hashes.slice(0, k), isWhole), mth(hashes.slice(k))]
  return [...subproof(m - k, hashes.slice(k), false), mth(hashes.slice(0, k))]
}

const rootOf = (size: number, rewrittenFrom?: number): string => hex(mth(leaves(size, rewrittenFrom)))
const proofOf = (from: number, to: number, rewrittenFrom?: number): string[] =>
  from === 0 ? [] : subproof(from, leaves(to, rewrittenFrom), true).map((hash) => hex(hash))

const claim = (from: number, to: number): Parts => ({
  from,
  fromRoot: rootOf(from),
  to,
  toRoot: rootOf(to),
  proof: proofOf(from, to)
})

/** The vectors of checkpoint/v1, and of the body `checkpoint` of event/v1. */
export function checkpointVectors(): readonly VectorFile[] {
  return [
    {
      path: 'checkpoint/v1/vectors/consistency.json',
      description:
        'Consistency proofs that hold (CHK-5), in trees whose record hashes are the SHA-256 of `record 0`, `record 1`, …',
      vectors: [
        [1, 1],
        [1, 2],
        [1, 8],
        [2, 3],
        [3, 7],
        [4, 7],
        [6, 7],
        [6, 8],
        [7, 7],
        [8, 13],
        [255, 256],
        [256, 257],
        [300, 1000]
      ].map(([from = 0, to = 0]) => ({ description: `from ${from} to ${to}`, ...claim(from, to) }))
    },
    {
      path: 'checkpoint/v1/vectors/consistency-invalid.json',
      description: 'Consistency proofs that do not hold, with the rule that they break.',
      vectors: invalidProofs()
    },
    {
      path: 'checkpoint/v1/vectors/notes.json',
      description: 'Signed checkpoints as text, the public key (hex) that they are good under, and what they say.',
      vectors: notes()
    },
    {
      path: 'checkpoint/v1/vectors/notes-invalid.json',
      description:
        'Bytes (hex) that are no checkpoint (`code` CHECKPOINT_MALFORMED), or one whose signature under the key is not good (`code` null), with the rule that they break.',
      vectors: invalidNotes()
    },
    {
      path: 'checkpoint/v1/vectors/judged.json',
      description:
        'Checkpoints (EV-60), the one before each in its chain, that which `restored.event` names (`base`), and the code of the alarm, or null.',
      vectors: judged()
    },
    {
      path: 'event/v1/vectors/checkpoint.json',
      description: 'Bodies of checkpoints.',
      vectors: [
        { description: 'the first', body: first },
        { description: 'of an empty log', body: { epoch: EPOCH, root: rootOf(0), size: 0 } },
        { description: 'with the one before', body: second },
        {
          description: 'with the one before under another key',
          body: { ...second, previous: { ...previous, kid: 'key-1' } }
        },
        { description: 'of a restored log', body: restored },
        {
          description: 'restored without a checkpoint to go on from',
          body: { ...restored, restored: restoredWithout }
        },
        { description: 'the greatest size', body: { ...first, size: Number.MAX_SAFE_INTEGER } }
      ]
    },
    {
      path: 'event/v1/vectors/checkpoint-invalid.json',
      description: 'Bodies that are no checkpoint (BODY_INVALID), with the rule that they break.',
      vectors: invalidBodies()
    }
  ]
}

function invalidProofs(): Vector[] {
  const of37 = claim(3, 7)
  const proof = of37['proof'] as readonly string[]
  const invalid = (description: string, changes: Parts, from: Parts = of37): Vector => ({
    description,
    rule: 'CHK-5',
    ...from,
    ...changes
  })
  return [
    invalid('from nothing', { from: 0, fromRoot: rootOf(0) }),
    invalid('backwards', { from: 7, to: 3 }),
    invalid('another old root', { fromRoot: rootOf(4) }),
    invalid('another new root', { toRoot: rootOf(8) }),
    invalid('roots in the place of each other', { fromRoot: rootOf(7), toRoot: rootOf(3) }),
    invalid('another old size', { from: 4 }),
    invalid('another new size', { to: 9 }),
    invalid('no proof', { proof: [] }),
    invalid('a hash too few', { proof: proof.slice(0, -1) }),
    invalid('a hash too many', { proof: [...proof, rootOf(1)] }),
    invalid('a hash before it', { proof: [rootOf(3), ...proof] }),
    invalid('in the other direction', { proof: proof.toReversed() }),
    invalid('a short hash', { proof: proof.with(0, '00') }),
    invalid('a log whose first record was changed', { toRoot: rootOf(7, 0), proof: proofOf(3, 7, 0) }),
    invalid('a log whose last common record was changed', { toRoot: rootOf(7, 2), proof: proofOf(3, 7, 2) }),
    invalid('one size, two roots', { to: 3, toRoot: rootOf(3, 1), proof: [] }),
    invalid('one size, with a proof', { to: 3, toRoot: rootOf(3), proof: [rootOf(3)] })
  ]
}

interface NoteParts {
  readonly origin?: string
  readonly size?: string
  readonly root?: string
  readonly extensions?: readonly string[]
  readonly signatures?: (text: string) => readonly string[]
}

const origin = `${ada.did}#${ada.kid}`
const root8 = mth(leaves(8))

function signatureLine(text: string, by: Author = ada, name: string = origin, algorithm = 1): string {
  const keyId = sha256(Buffer.from(`${name}\n`), Buffer.of(algorithm), by.publicKey).subarray(0, 4)
  return `— ${name} ${Buffer.concat([keyId, by.sign(Buffer.from(text))]).toString('base64')}`
}

function note({ signatures = (text) => [signatureLine(text)], ...parts }: NoteParts = {}): string {
  const lines = [
    parts.origin ?? origin,
    parts.size ?? '8',
    parts.root ?? root8.toString('base64'),
    ...(parts.extensions ?? [`epoch ${EPOCH}`])
  ]
  const text = `${lines.join('\n')}\n`
  return `${text}\n${signatures(text).join('\n')}\n`
}

function notes(): Vector[] {
  const vector = (description: string, parts: NoteParts, size = 8): Vector => ({
    description,
    note: note(parts),
    publicKey: hex(ada.publicKey),
    signer: ada.did,
    kid: ada.kid,
    size,
    root: hex(root8),
    epoch: EPOCH
  })
  return [
    vector('eight records', {}),
    vector('the greatest size', { size: String(Number.MAX_SAFE_INTEGER) }, Number.MAX_SAFE_INTEGER),
    vector('further lines, before and after the epoch', {
      extensions: ['note of somebody: é', `epoch ${EPOCH}`, 'epochal']
    }),
    vector('a witness beside it', {
      signatures: (text) => [signatureLine(text, bob, 'witness.example/w1', 4), signatureLine(text)]
    })
  ]
}

function invalidNotes(): Vector[] {
  const invalid = (description: string, rule: string, text: string | Uint8Array, code: string | null): Vector => ({
    description,
    rule,
    publicKey: hex(ada.publicKey),
    note: hex(text),
    code
  })
  const malformed = (description: string, rule: string, text: string | Uint8Array): Vector =>
    invalid(description, rule, text, 'CHECKPOINT_MALFORMED')
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index}`)
  return [
    malformed('nothing', 'CHK-6', ''),
    malformed('more than 16,384 bytes', 'CHK-6', note({ extensions: [`epoch ${EPOCH}`, 'x'.repeat(16_384)] })),
    malformed('no UTF-8', 'CHK-6', Buffer.concat([Buffer.of(0xff), Buffer.from(note())])),
    malformed('a byte order mark', 'CHK-7', `\ufeff${note()}`),
    malformed('carriage returns', 'CHK-6', note().replaceAll('\n', '\r\n')),
    malformed('a tab', 'CHK-6', note({ extensions: [`epoch ${EPOCH}`, 'a\tb'] })),
    malformed('a zero byte', 'CHK-6', note({ extensions: [`epoch ${EPOCH}`, 'a\0b'] })),
    malformed('no newline at the end', 'CHK-6', note().slice(0, -1)),
    malformed('no empty line', 'CHK-6', note().replace('\n\n', '\n')),
    malformed('an empty line before the signatures', 'CHK-10', note().replace('\n\n', '\n\n\n')),
    malformed('an empty line at the end', 'CHK-6', `${note()}\n`),
    malformed('an origin without a kid', 'CHK-7', note({ origin: ada.did })),
    malformed('an origin that is no DID', 'CHK-7', note({ origin: 'example.org/log#1' })),
    malformed('a kid with a plus', 'CHK-7', note({ origin: `${ada.did}#a+b` })),
    malformed('a size with a zero before it', 'CHK-8', note({ size: '08' })),
    malformed('a size with a sign', 'CHK-8', note({ size: '+8' })),
    malformed('a size of 2^53', 'CHK-8', note({ size: String(2 ** 53) })),
    malformed('no size', 'CHK-8', note({ size: '' })),
    malformed('a root in hex', 'CHK-9', note({ root: hex(root8) })),
    malformed('a root without padding', 'CHK-9', note({ root: root8.toString('base64').replace('=', '') })),
    malformed('a root with bits left over', 'CHK-9', note({ root: `${'A'.repeat(42)}B=` })),
    malformed('a root of 31 bytes', 'CHK-9', note({ root: root8.subarray(1).toString('base64') })),
    malformed('no epoch', 'CHK-10', note({ extensions: [] })),
    malformed('two epochs', 'CHK-10', note({ extensions: [`epoch ${EPOCH}`, `epoch ${OTHER_EPOCH}`] })),
    malformed('an epoch in upper case', 'CHK-10', note({ extensions: [`epoch ${EPOCH.toUpperCase()}`] })),
    malformed('an empty line among the further ones', 'CHK-10', note({ extensions: [`epoch ${EPOCH}`, '', 'x'] })),
    malformed('seventeen further lines', 'CHK-10', note({ extensions: [`epoch ${EPOCH}`, ...many(16)] })),
    malformed('no signature', 'CHK-11', note({ signatures: () => [] })),
    malformed('a hyphen for a dash', 'CHK-11', note().replace('— ', '- ')),
    malformed('a signature that is not base64', 'CHK-11', note({ signatures: () => [`— ${origin} !!!!`] })),
    malformed('a key id alone', 'CHK-11', note({ signatures: () => [`— ${origin} AAAAAA==`] })),
    malformed(
      'seventeen signatures',
      'CHK-11',
      note({ signatures: (text) => Array.from({ length: 17 }, () => signatureLine(text)) })
    ),
    invalid('by another key, in this name', 'CHK-12', note({ signatures: (text) => [signatureLine(text, bob)] }), null),
    invalid(
      'by this key, in another name',
      'CHK-12',
      note({ signatures: (text) => [signatureLine(text, ada, 'witness.example/w1')] }),
      null
    ),
    invalid(
      'under the key id of another algorithm',
      'CHK-12',
      note({ signatures: (text) => [signatureLine(text, ada, origin, 4)] }),
      null
    ),
    invalid('twice', 'CHK-12', note({ signatures: (text) => [signatureLine(text), signatureLine(text)] }), null),
    invalid('of another size', 'CHK-12', note().replace('\n8\n', '\n9\n'), null),
    invalid(
      'without the last newline of the text',
      'CHK-12',
      note({ signatures: (text) => [signatureLine(text.slice(0, -1))] }),
      null
    )
  ]
}

const first = { epoch: EPOCH, root: rootOf(3), size: 3 }
const id = hashOf('event of the first')
const known = { event: id, epoch: EPOCH, size: 3, root: rootOf(3), firstSizeOfEpoch: 3 }
const previous = { consistency: proofOf(3, 7), event: id, root: rootOf(3), size: 3 }
const second = { epoch: EPOCH, previous, root: rootOf(7), size: 7 }

/** After seven records the log was set back to a backup of five, and went on with others to eight. */
const lastKnown = { event: hashOf('event of the last'), epoch: EPOCH, size: 7, root: rootOf(7), firstSizeOfEpoch: 3 }
const restored = {
  epoch: OTHER_EPOCH,
  previous: { event: lastKnown.event, root: lastKnown.root, size: lastKnown.size },
  restored: { consistency: proofOf(3, 8, 5), epoch: EPOCH, event: id, root: rootOf(3), size: 3 },
  root: rootOf(8, 5),
  size: 8
}
const restoredWithout = { consistency: proofOf(2, 8, 5), epoch: EPOCH, root: rootOf(2), size: 2 }

function judged(): Vector[] {
  const vector = (description: string, code: string | null, checkpoint: Parts, changes: Parts = {}): Vector => ({
    description,
    checkpoint,
    before: known,
    base: null,
    ...changes,
    code
  })
  const restore = (description: string, code: string | null, changes: Parts = {}, others: Parts = {}): Vector =>
    vector(description, code, { ...restored, ...changes }, { before: lastKnown, base: known, ...others })
  const whole = {
    ...second,
    epoch: OTHER_EPOCH,
    restored: { consistency: proofOf(3, 7), epoch: EPOCH, event: id, root: rootOf(3), size: 3 }
  }
  return [
    vector('the first of its chain', null, first, { before: null }),
    vector('the first of its chain, of an epoch that a restore began', null, restored, { before: null }),
    vector('it grew', null, second),
    vector('nothing is new', null, { ...first, previous: { ...previous, consistency: [] } }),
    vector(
      'after an empty log',
      null,
      { ...first, previous: { event: id, size: 0, root: rootOf(0), consistency: [] } },
      {
        before: { ...known, size: 0, root: rootOf(0), firstSizeOfEpoch: 0 }
      }
    ),
    vector('it is shorter', 'LOG_ROLLED_BACK', {
      epoch: EPOCH,
      root: rootOf(2),
      size: 2,
      previous: { event: id, root: rootOf(3), size: 3 }
    }),
    vector('it is shorter, and says nothing of the one before', 'LOG_ROLLED_BACK', {
      epoch: EPOCH,
      root: rootOf(2),
      size: 2
    }),
    vector('one size, another root', 'LOG_REWRITTEN', {
      ...first,
      root: rootOf(3, 1),
      previous: { ...previous, consistency: [] }
    }),
    vector('a record was changed', 'LOG_REWRITTEN', {
      ...second,
      root: rootOf(7, 1),
      previous: { ...previous, consistency: proofOf(3, 7, 1) }
    }),
    vector('it names no previous one', 'LOG_REWRITTEN', { epoch: EPOCH, root: rootOf(7), size: 7 }),
    vector('it proves nothing', 'LOG_REWRITTEN', { ...second, previous: { event: id, root: rootOf(3), size: 3 } }),
    vector('it names another event', 'LOG_REWRITTEN', { ...second, previous: { ...previous, event: hashOf('other') } }),
    vector('it names another size', 'LOG_REWRITTEN', {
      ...second,
      previous: { ...previous, size: 4, root: rootOf(4), consistency: proofOf(4, 7) }
    }),
    vector('it names another root', 'LOG_REWRITTEN', {
      ...second,
      root: rootOf(7, 1),
      previous: { ...previous, root: rootOf(3, 1), consistency: proofOf(3, 7, 1) }
    }),
    vector('a new epoch that says nothing of the old one', 'EPOCH_UNEXPLAINED', { ...second, epoch: OTHER_EPOCH }),
    restore('restored from a backup that holds less', null),
    restore('restored without loss', null, whole, { before: known }),
    restore(
      'restored without loss, but not shown to be',
      'EPOCH_UNEXPLAINED',
      { ...whole, previous: { event: id, root: rootOf(3), size: 3 } },
      { before: known }
    ),
    restore('restored from before its first checkpoint', null, { restored: restoredWithout }, { base: null }),
    restore(
      'as if restored from before its first checkpoint',
      'EPOCH_UNEXPLAINED',
      { restored: { ...restoredWithout, size: 4, root: rootOf(4), consistency: proofOf(4, 8, 5) } },
      { base: null }
    ),
    restore('it goes on from what is not before it', 'EPOCH_UNEXPLAINED', {}, { base: null }),
    restore('it goes on from another root', 'EPOCH_UNEXPLAINED', {
      restored: { ...restored.restored, root: rootOf(3, 1) }
    }),
    restore('what it goes on from was changed', 'EPOCH_UNEXPLAINED', {
      root: rootOf(8, 1),
      restored: { ...restored.restored, consistency: proofOf(3, 8, 1) }
    }),
    restore('it names another last one', 'EPOCH_UNEXPLAINED', { previous: { event: id, root: rootOf(3), size: 3 } }),
    restore('it names no last one', 'EPOCH_UNEXPLAINED', {
      previous: { event: lastKnown.event, root: rootOf(6), size: 6 }
    }),
    restore(
      'restored twice, with nothing published between',
      null,
      {},
      {
        before: { ...lastKnown, epoch: '0000000000000001', firstSizeOfEpoch: 7 }
      }
    )
  ]
}

function invalidBodies(): Vector[] {
  const invalid = (description: string, rule: string, changes: Parts): Vector => ({
    description,
    rule,
    body: { ...second, ...changes }
  })
  const { epoch: _epoch, ...withoutEpoch } = first
  const { root: _root, ...withoutRoot } = first
  const { size: _size, ...withoutSize } = first
  const { event: _event, ...nameless } = previous
  const { consistency: _proof, ...proofless } = restored.restored
  return [
    { description: 'no members', rule: 'EV-60', body: {} },
    { description: 'no epoch', rule: 'EV-60', body: withoutEpoch },
    { description: 'no root', rule: 'EV-60', body: withoutRoot },
    { description: 'no size', rule: 'EV-60', body: withoutSize },
    invalid('a further member', 'EV-60', { note: '' }),
    invalid('a size below zero', 'EV-60', { size: -1 }),
    invalid('half a record', 'EV-60', { size: 0.5 }),
    invalid('a size as text', 'EV-60', { size: '7' }),
    invalid('an epoch of 15 digits', 'EV-60', { epoch: EPOCH.slice(1) }),
    invalid('an epoch in upper case', 'EV-60', { epoch: EPOCH.toUpperCase() }),
    invalid('a root in base64', 'EV-60', { root: root8.toString('base64') }),
    invalid('a previous one that is null', 'EV-60', { previous: null }),
    invalid('a previous one without its event', 'EV-61', { previous: nameless }),
    invalid('a previous one with an epoch', 'EV-61', { previous: { ...previous, epoch: EPOCH } }),
    invalid('a previous one of a key that is none', 'EV-61', { previous: { ...previous, kid: 'key 1' } }),
    invalid('a previous one of a key that is null', 'EV-61', { previous: { ...previous, kid: null } }),
    invalid('a proof that is null', 'EV-61', { previous: { ...previous, consistency: null } }),
    invalid('a proof with what is no hash', 'EV-61', { previous: { ...previous, consistency: ['00'] } }),
    invalid('a proof of 65 hashes', 'EV-61', { previous: { ...previous, consistency: Array(65).fill(rootOf(1)) } }),
    invalid('restored without a proof', 'EV-61', { restored: proofless }),
    invalid('restored from no epoch', 'EV-61', { restored: { ...restored.restored, epoch: '' } }),
    invalid('restored from an event that is null', 'EV-61', { restored: { ...restored.restored, event: null } })
  ]
}
