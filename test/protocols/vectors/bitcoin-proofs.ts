import {
  append,
  fork,
  HEXLIFY,
  inBitcoin,
  inLitecoin,
  path,
  pending,
  prepend,
  proofFile,
  resultOf,
  REVERSE,
  RIPEMD160,
  SHA1,
  SHA256,
  unknown
} from './bitcoin-parts.ts'
import type { Step } from './bitcoin-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const DIGEST = sha256('what was stamped')
const CALENDAR = 'https://calendar.example.org'
const OTHER_CALENDAR = 'https://other.example.org:443/a_b'
const PAYLOAD = Buffer.from('kept as it is')
const UNKNOWN_TAG = '0102030405060708'
/** Keccak-256 of nothing (the Yellow Paper, appendix D, calls it KEC(())). */
const KECCAK_OF_NOTHING = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

/** The vectors of proof files: which are read and how, which are not, and how answers of calendars are added. */
export function proofVectors(): readonly VectorFile[] {
  return [
    {
      path: 'bitcoin-evidence/v1/vectors/proofs.json',
      description:
        'Proof files (hex), the hash and digest that they are about, and their attestations in the order of the file, each with the message that it is about.',
      vectors: valid()
    },
    {
      path: 'bitcoin-evidence/v1/vectors/proofs-invalid.json',
      description:
        'Bytes (hex; or `prefix`, `repeat` of bytes `count` times and `suffix`) that are no proof file: `OTS_MALFORMED`.',
      vectors: invalid().map((vector) => ({ ...vector, code: 'OTS_MALFORMED' }))
    },
    {
      path: 'bitcoin-evidence/v1/vectors/upgrades.json',
      description:
        'A proof file, what a calendar answered about a message in it, and the upgraded proof file (all hex).',
      vectors: upgrades()
    }
  ]
}

type Attested = Readonly<Record<string, string | number>>

function proof(description: string, timestamp: Buffer, attestations: readonly Attested[]): Vector {
  return { description, proof: hex(proofFile(DIGEST, timestamp)), hash: 'sha256', digest: hex(DIGEST), attestations }
}

function valid(): Vector[] {
  const start = [append(sha256('nonce').subarray(0, 16)), SHA256]
  const every: readonly Step[] = [prepend(Buffer.of(1)), REVERSE, HEXLIFY, SHA1, RIPEMD160, SHA256]
  const long = [append(Buffer.alloc(4_064, 7))]
  const deep = Array.from({ length: 255 }, () => SHA256)
  const at = (steps: readonly Step[]): string => hex(resultOf(steps, DIGEST))
  return [
    proof('one attestation', inBitcoin(800_000), [{ kind: 'bitcoin', height: 800_000, message: hex(DIGEST) }]),
    proof('a pending one', path(start, pending(CALENDAR)), [{ kind: 'pending', uri: CALENDAR, message: at(start) }]),
    proof(
      'attestations of all kinds at one message, in no order',
      path(start, fork(unknown(UNKNOWN_TAG, PAYLOAD), inLitecoin(0), pending(OTHER_CALENDAR), inBitcoin(127))),
      [
        { kind: 'unknown', tag: UNKNOWN_TAG, payload: hex(PAYLOAD), message: at(start) },
        { kind: 'litecoin', height: 0, message: at(start) },
        { kind: 'pending', uri: OTHER_CALENDAR, message: at(start) },
        { kind: 'bitcoin', height: 127, message: at(start) }
      ]
    ),
    proof(
      'branches below branches, the same operation twice',
      fork(path([SHA256], fork(inBitcoin(128), path([SHA256], inBitcoin(1)))), path([SHA256], pending(''))),
      [
        { kind: 'bitcoin', height: 128, message: at([SHA256]) },
        { kind: 'bitcoin', height: 1, message: at([SHA256, SHA256]) },
        { kind: 'pending', uri: '', message: at([SHA256]) }
      ]
    ),
    proof('all operations but one', path(every, inBitcoin(2 ** 53 - 1)), [
      { kind: 'bitcoin', height: 2 ** 53 - 1, message: at(every) }
    ]),
    {
      ...proof('the last one, whose padding is not that of SHA3-256', Buffer.of(), []),
      proof: hex(proofFile(Buffer.from(KECCAK_OF_NOTHING, 'hex'), path([KECCAK_TWICE], inBitcoin(1)), 0x67)),
      hash: 'keccak256',
      digest: KECCAK_OF_NOTHING,
      attestations: [{ kind: 'bitcoin', height: 1, message: KECCAK_TWICE_RESULT }]
    },
    proof('a message of 4,096 bytes', path(long, inBitcoin(1)), [{ kind: 'bitcoin', height: 1, message: at(long) }]),
    proof('255 operations', path(deep, inBitcoin(1)), [{ kind: 'bitcoin', height: 1, message: at(deep) }]),
    ...[
      [0x02, 'sha1', 20],
      [0x03, 'ripemd160', 20]
    ].map(([tag, hash, length]) => {
      const digest = DIGEST.subarray(0, Number(length))
      return {
        description: `a digest by ${hash}`,
        proof: hex(proofFile(digest, inBitcoin(1), Number(tag))),
        hash,
        digest: hex(digest),
        attestations: [{ kind: 'bitcoin', height: 1, message: hex(digest) }]
      }
    })
  ]
}

/** Keccak-256 of `KECCAK_OF_NOTHING`, which no hash function of this runtime computes. */
const KECCAK_TWICE_RESULT = '10ca3eff73ebec87d2394fc58560afeab86dac7a21f5e402ea0a55e5c8a6758f'
const KECCAK_TWICE: Step = { bytes: Buffer.of(0x67), apply: () => Buffer.from(KECCAK_TWICE_RESULT, 'hex') }

function invalid(): Vector[] {
  const end = inBitcoin(1)
  const of = (timestamp: Buffer): string => hex(proofFile(DIGEST, timestamp))
  const good = proofFile(DIGEST, end)
  const changed = (at: number, byte: number): string => hex(good.map((value, index) => (index === at ? byte : value)))
  const start = hex(proofFile(DIGEST, Buffer.of()))
  const attested = (tag: string, payload: string): string => of(unknown(tag, Buffer.from(payload, 'hex')))
  const BITCOIN = '0588960d73d71901'
  const PENDING = '83dfe30d2ef90c8e'
  const bad = (rule: string, description: string, text: string): Vector => ({ description, rule, proof: text })
  return [
    bad('BE-14', 'a byte behind its end', `${hex(good)}00`),
    // Each branch is complete, so that nothing but the size is wrong.
    {
      description: '65,537 bytes and more',
      rule: 'BE-14',
      prefix: start,
      repeat: hex(Buffer.concat([Buffer.of(0xff), end])),
      count: 5_500,
      suffix: hex(end)
    },
    bad('BE-15', 'a length with a digit of zero too many', of(Buffer.from(`f08100ff${hex(end)}`, 'hex'))),
    bad('BE-15', 'a height with a digit of zero too many', attested(BITCOIN, '8100')),
    bad('BE-15', 'a height of 2^53', attested(BITCOIN, '8080808080808010')),
    bad('BE-15', 'a height of 161 digits', attested(BITCOIN, `${'80'.repeat(160)}01`)),
    bad('BE-15', 'a length of 161 digits', of(Buffer.from(`f0${'80'.repeat(160)}01${hex(end)}`, 'hex'))),
    bad('BE-16', 'nothing', ''),
    bad('BE-16', 'another magic', changed(5, 0)),
    bad('BE-16', 'version 2', changed(31, 2)),
    bad('BE-16', 'a digest by no known hash', changed(32, 0x09)),
    bad('BE-16', 'a digest by an operation that is no hash', changed(32, 0xf2)),
    bad('BE-17', 'no branch', start),
    bad('BE-17', 'no branch behind another', of(Buffer.concat([Buffer.of(0xff), end]))),
    bad('BE-17', 'it ends in an attestation', hex(good.subarray(0, -1))),
    bad('BE-17', 'it ends behind an operation', of(SHA256.bytes)),
    bad(
      'BE-17',
      '256 operations',
      of(
        path(
          Array.from({ length: 256 }, () => SHA256),
          end
        )
      )
    ),
    bad('BE-18', 'an unknown operation', of(Buffer.concat([Buffer.of(0xf4), end]))),
    bad('BE-18', 'two signs that another branch follows', of(Buffer.concat([Buffer.of(0xff, 0xff), end, end]))),
    bad('BE-18', 'an argument of no bytes', of(path([append(Buffer.of())], end))),
    bad('BE-18', 'an argument of 4,097 bytes', of(path([append(Buffer.alloc(4_097))], end))),
    bad('BE-18', 'a message of 4,097 bytes', of(path([append(Buffer.alloc(4_065))], end))),
    bad('BE-18', 'a message of 4,098 bytes as hex', of(path([append(Buffer.alloc(2_017)), HEXLIFY], end))),
    {
      description: 'more than 1,048,576 bytes of messages',
      rule: 'BE-18',
      prefix: hex(proofFile(DIGEST, append(Buffer.alloc(4_064)).bytes)),
      repeat: hex(Buffer.concat([Buffer.of(0xff), path([REVERSE], end)])),
      count: 256,
      suffix: hex(end)
    },
    {
      description: 'more than 1,048,576 bytes that are hashed, to results of 32',
      rule: 'BE-18',
      prefix: hex(proofFile(DIGEST, append(Buffer.alloc(4_064)).bytes)),
      repeat: hex(Buffer.concat([Buffer.of(0xff), path([SHA256], end)])),
      count: 256,
      suffix: hex(end)
    },
    bad('BE-19', 'a payload of 8,193 bytes', of(unknown(UNKNOWN_TAG, Buffer.alloc(8_193)))),
    bad('BE-19', 'a height with something behind it', attested(BITCOIN, '0100')),
    bad('BE-19', 'no height', attested(BITCOIN, '')),
    bad('BE-19', 'no height of Litecoin', attested('06869a0d73d71b45', '')),
    bad('BE-19', 'an address with something behind it', attested(PENDING, '016100')),
    bad('BE-19', 'an address with a character that is not allowed', of(pending('https://calendar.example.org?a'))),
    bad('BE-19', 'an address that is not ASCII', attested(PENDING, '02c3a9')),
    bad('BE-19', 'an address of 1,001 characters', of(pending('a'.repeat(1_001))))
  ]
}

function upgrades(): Vector[] {
  const start = [append(Buffer.of(1, 2, 3)), SHA256]
  const other = [append(Buffer.of(4)), SHA256]
  const steps = [prepend(Buffer.of(5)), SHA256, SHA256]
  const answer = path(steps, inBitcoin(800_000))
  const of = (...branches: readonly Buffer[]): Buffer => proofFile(DIGEST, fork(...branches))
  const upgrade = (description: string, before: Buffer, after: Buffer, answered = answer): Vector => ({
    description,
    proof: hex(before),
    commitment: hex(resultOf(start, DIGEST)),
    answer: hex(answered),
    upgraded: hex(after)
  })
  const promised = path(start, pending(CALENDAR))
  const kept = path(other, fork(unknown(UNKNOWN_TAG, PAYLOAD), pending(OTHER_CALENDAR)))
  const done = path(start, fork(pending(CALENDAR), answer))
  return [
    upgrade('the one promise', of(promised), of(done)),
    upgrade('one of two promises; the other stays as it is', of(kept, promised), of(kept, done)),
    upgrade('what is there already is not added', of(done, kept), of(done, kept)),
    upgrade('a message that stands in two branches', of(promised, promised), of(done, done)),
    upgrade(
      'operations that are there already are merged',
      of(path(start, fork(pending(CALENDAR), path(steps.slice(0, 1), inLitecoin(7))))),
      of(
        path(
          start,
          fork(
            pending(CALENDAR),
            path(steps.slice(0, 1), fork(inLitecoin(7), path(steps.slice(1), inBitcoin(800_000))))
          )
        )
      )
    ),
    upgrade(
      'an answer of another promise',
      of(promised),
      of(path(start, fork(pending(CALENDAR), pending(OTHER_CALENDAR)))),
      pending(OTHER_CALENDAR)
    )
  ]
}
