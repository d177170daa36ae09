import fc from 'fast-check'
import {
  append,
  fork,
  HEXLIFY,
  inBitcoin,
  inLitecoin,
  pending,
  prepend,
  REVERSE,
  RIPEMD160,
  SHA1,
  SHA256,
  unknown
} from './vectors/bitcoin-parts.ts'

const argument = fc.uint8Array({ minLength: 1, maxLength: 40 })
const step = fc.oneof(argument.map(append), argument.map(prepend), fc.constantFrom(REVERSE, SHA1, RIPEMD160, SHA256))

const attestation = fc.oneof(
  fc.nat(2 ** 40).map(inBitcoin),
  fc.nat(900_000).map(inLitecoin),
  fc.constantFrom('https://a.example.org', 'https://b.example.org', '').map(pending),
  fc
    .tuple(fc.constantFrom('0102030405060708', 'ffffffffffffffff'), fc.uint8Array({ maxLength: 200 }))
    .map(([tag, payload]) => unknown(tag, payload))
)

/**
 * What is known about some message, in bytes: all kinds of steps and attestations, branching and nested. Hexlify stands
 * before a hash only, or messages would double beyond what is allowed.
 */
export const arbitraryTimestamp: fc.Arbitrary<Buffer> = fc.letrec<{ timestamp: Buffer; branch: Buffer }>((tie) => ({
  timestamp: fc.array(tie('branch'), { minLength: 1, maxLength: 4 }).map((branches) => fork(...branches)),
  branch: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    attestation,
    fc.tuple(step, tie('timestamp')).map(([{ bytes }, next]) => Buffer.concat([bytes, next])),
    tie('timestamp').map((next) => Buffer.concat([HEXLIFY.bytes, SHA256.bytes, next]))
  )
})).timestamp
