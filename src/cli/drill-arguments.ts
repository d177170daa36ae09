import { InvalidArgumentError } from 'commander'
import { NAME_CHARS_MAX } from '../../protocols/drill-report/v1/report-shape.ts'
import { readAddress } from '../drill/addresses.ts'
import { TARGET_NAME_PATTERN } from '../drill/targets-file.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** Where drills and matrices are kept, and the targets are named, where nothing else is said; from the working folder. */
export const DRILLS_FOLDER = 'scripts/output/federation-interop-drills'
export const MATRICES_FOLDER = 'scripts/output/federation-interop-matrix'
export const TARGETS_FILE = 'config/interop-targets.json'

const HOURS_MAX = 87_600

/**
 * The address of a listener. It is read by the verb, and not as its options are: commander would repeat what is wrong,
 * which may hold a password. Throws `USAGE`.
 */
export function addressOf(flag: string, text: string): URL {
  const reading = readAddress(text)
  if (reading.ok) return reading.url
  throw new AnchormeshError('USAGE', `what --${flag} names ${reading.detail}`, {
    hint: 'Such as https://node.example:8088, or http://127.0.0.1:8088 on this machine.'
  })
}

/** Names of targets, by commas; or the option again. */
export function targetsArgument(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (!names.every((name) => TARGET_NAME_PATTERN.test(name)))
    throw new InvalidArgumentError('Names of targets have a to z, digits, . _ and -, and stand apart by commas.')
  return [...new Set([...before, ...names])]
}

/** Whom a drill names as the remote node. */
export function remoteNodeArgument(text: string): string {
  if (text.length >= 1 && text.length <= NAME_CHARS_MAX && !/\p{Cc}/u.test(text) && text.isWellFormed()) return text
  throw new InvalidArgumentError(`A remote node id has 1 to ${NAME_CHARS_MAX} characters on one line.`)
}

/** The SHA-256 fingerprint of a certificate, with or without colons. */
export function fingerprintArgument(text: string): string {
  const hex = text.replaceAll(':', '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(hex)) return hex
  throw new InvalidArgumentError(
    'A fingerprint is SHA-256 in hex: openssl x509 -noout -fingerprint -sha256 -in cert.pem'
  )
}

/** Hours, also parts of one. */
export function hoursArgument(text: string): number {
  const hours = Number(text)
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text) && hours > 0 && hours <= HOURS_MAX) return hours
  throw new InvalidArgumentError(`It must be a number of hours above 0, at most ${HOURS_MAX}.`)
}

/** Milliseconds for one exchange. */
export function timeoutArgument(text: string): number {
  const ms = Number(text)
  if (/^[0-9]{1,6}$/.test(text) && ms >= 100 && ms <= 120_000) return ms
  throw new InvalidArgumentError('It must be a whole number of milliseconds from 100 to 120000.')
}
