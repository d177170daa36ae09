import { readAlgorithm } from './algorithms.ts'
import { readExtensionList } from './certificate.ts'
import {
  calendarTime,
  contextConstructed,
  contextPrimitive,
  DerError,
  DerReader,
  latin1,
  readBoolean,
  readInteger,
  readOid,
  readSmall,
  readWhole,
  TAG
} from './der.ts'
import type { DerValue } from './der.ts'

/** What a TSTInfo (RFC 3161 2.4.2) says. */
export interface TstInfo {
  /** The object identifier of the policy that the token was issued under. */
  readonly policy: string
  /** The object identifier of the imprint's hash algorithm. */
  readonly hashAlgorithm: string
  readonly hashedMessage: Uint8Array
  /** Lower-case hex of the integer, an even number of digits, without a leading zero byte. */
  readonly serialNumber: string
  /** Integer milliseconds since 1970; a finer fraction is cut off. */
  readonly genTime: number
  /** What was cut off genTime, in microseconds, rounded up: 0 to 1,000. */
  readonly genTimeRestMicros: number
  /** How far off genTime may be, in microseconds; undefined where the token does not say. */
  readonly accuracyMicros?: number
  readonly nonce?: bigint
}

// 68 years, and every sum with it stays a safe integer in microseconds.
const ACCURACY_SECONDS_MAX = 2 ** 31 - 1

// RFC 3161 2.4.2: up to 160 bits must be taken; nonces are the requester's, and nobody's are longer than that either.
const INTEGER_BYTES_MAX = 64

/** Reads exactly one TSTInfo of version 1, in DER. Throws a `DerError` on anything else. */
export function readTstInfo(bytes: Uint8Array): TstInfo {
  const what = 'TSTInfo'
  const reader = readWhole(bytes, TAG.sequence, what)
  readSmall(reader.value(TAG.integer, what), 1, 1, 'TSTInfo version')
  const policy = readOid(reader.value(TAG.oid, 'policy'), 'policy')
  const imprint = reader.inside(TAG.sequence, 'messageImprint')
  const { oid: hashAlgorithm } = readAlgorithm(imprint, 'messageImprint')
  const hashedMessage = imprint.value(TAG.octetString, 'messageImprint').content
  imprint.end('messageImprint')
  const serial = readLong(reader.value(TAG.integer, 'serialNumber'), 'serialNumber')
  if (serial < 0n) throw new DerError('the serial number is negative')
  const time = readGenTime(reader.value(TAG.generalizedTime, 'genTime'))
  const accuracy = reader.optional(TAG.sequence, 'accuracy')
  const ordering = reader.optional(TAG.boolean, 'ordering')
  if (ordering !== undefined) readBoolean(ordering, 'ordering')
  const nonce = reader.optional(TAG.integer, 'nonce')
  // Whom the token names as its authority decides nothing: ESSCertID says by which certificate it was signed.
  reader.optional(contextConstructed(0), 'tsa')
  const extensions = reader.optional(contextConstructed(1), 'extensions')
  reader.end(what)
  if (extensions !== undefined) assertNoneCritical(extensions)
  return {
    policy,
    hashAlgorithm,
    hashedMessage,
    serialNumber: evenHex(serial),
    ...time,
    ...(accuracy === undefined ? {} : { accuracyMicros: readAccuracy(accuracy) }),
    ...(nonce === undefined ? {} : { nonce: readLong(nonce, 'nonce') })
  }
}

/** RFC 3161 2.4.2: seconds always, a fraction at will, `Z` always. */
function readGenTime({ content }: DerValue): Pick<TstInfo, 'genTime' | 'genTimeRestMicros'> {
  const match = /^(\d{14})(?:\.(\d{1,32}))?Z$/.exec(latin1(content))
  if (match === null) throw new DerError('genTime is not of the form YYYYMMDDhhmmss[.s…]Z')
  const [, digits = '', fraction = ''] = match
  const micros = Number(fraction.slice(3, 6).padEnd(3, '0'))
  const finer = /[1-9]/.test(fraction.slice(6)) ? 1 : 0
  return { genTime: calendarTime(digits, fraction.slice(0, 3), 'genTime'), genTimeRestMicros: micros + finer }
}

/** Accuracy (RFC 3161 2.4.2): seconds, [0] millis and [1] micros of up to 999; what is left out is zero. */
function readAccuracy({ content }: DerValue): number {
  const reader = new DerReader(content)
  const part = (tag: number, max: number): number => {
    const value = reader.optional(tag, 'accuracy')
    return value === undefined ? 0 : readSmall(value, 0, max, 'accuracy')
  }
  const seconds = part(TAG.integer, ACCURACY_SECONDS_MAX)
  const millis = part(contextPrimitive(0), 999)
  const micros = part(contextPrimitive(1), 999)
  reader.end('accuracy')
  return (seconds * 1_000 + millis) * 1_000 + micros
}

/** RFC 3161 2.4.2: extensions may say more; a critical one that is not known voids the token. None is known here. */
function assertNoneCritical(field: DerValue): void {
  // IMPLICIT: the identifier octet of the SEQUENCE OF is the field's own, so its own is put back.
  const list = readExtensionList(new DerReader(Uint8Array.from(field.bytes).fill(TAG.sequence, 0, 1)), 'extensions')
  for (const [oid, { critical }] of list) {
    if (critical) throw new DerError(`the critical extension ${oid} is not known`)
  }
}

function readLong(value: DerValue, what: string): bigint {
  if (value.content.length > INTEGER_BYTES_MAX) throw new DerError(`${what}: more than ${INTEGER_BYTES_MAX} octets`)
  return readInteger(value, what)
}

function evenHex(value: bigint): string {
  const hex = value.toString(16)
  return hex.length % 2 === 0 ? hex : `0${hex}`
}
