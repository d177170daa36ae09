import { InvalidArgumentError } from 'commander'
import { ACTION_PATTERN } from '../../protocols/audit/v1/record.ts'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { TOKEN_ID_PATTERN } from '../access/token-record.ts'
import { REASON_CHARACTERS_MAX, RECEIPT_HASH_PATTERN } from '../bundles/receipt-keeper.ts'
import { NAMESPACE_PATTERN, TRUST_NAMESPACE } from '../../protocols/event/v1/envelope.ts'
import { TENANT_PATTERN } from '../policy/names.ts'

/** Readers of option values for commander: each throws `InvalidArgumentError` with what the value should be. */

/** A namespace, the reserved `_trust` included. */
export function namespaceArgument(text: string): string {
  if (text === TRUST_NAMESPACE || NAMESPACE_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A namespace has lower-case letters, digits, . _ : and -, such as dao:vaultmesh.')
}

/** An option that can be given several times, each with one namespace. */
export function namespacesArgument(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, namespaceArgument(text)]
}

/** An option that can be given several times. */
export function listArgument(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** A batch's name. */
export function batchArgument(text: string): string {
  if (NAME_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A batch id has letters, digits, . _ : # and -, at most 128, such as 2026-11-21.')
}

/** A receipt by its leaf hash. */
export function receiptArgument(text: string): string {
  if (RECEIPT_HASH_PATTERN.test(text)) return text
  throw new InvalidArgumentError(
    'A receipt is named by its whole leaf hash, 64 lower-case hex digits: anchormesh query receipts --json'
  )
}

/** A reason for the log. */
export function reasonArgument(text: string): string {
  if (text.length >= 1 && text.length <= REASON_CHARACTERS_MAX && text.isWellFormed()) return text
  throw new InvalidArgumentError(`A reason has 1 to ${REASON_CHARACTERS_MAX} characters.`)
}

/** A whole number from 1. */
export function countArgument(text: string): number {
  const count = wholeNumber(text)
  if (count !== null && count >= 1) return count
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

/** A position in the log: a whole number from 0. */
export function positionArgument(text: string): number {
  const position = wholeNumber(text)
  if (position !== null) return position
  throw new InvalidArgumentError('It must be a whole number from 0.')
}

/** A moment: integer milliseconds since 1970, or a date and time as ISO 8601 has it. */
export function timeArgument(text: string): number {
  const ms = wholeNumber(text) ?? (/^[0-9]{4}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN)
  if (Number.isSafeInteger(ms)) return ms
  throw new InvalidArgumentError('It must be milliseconds since 1970 or a time such as 2026-11-21T12:00:00Z.')
}

/** A moment, or how long ago it was when the command began. */
export type Moment = { readonly at: number } | { readonly agoMs: number }

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A moment as `timeArgument` has it, or a time that has passed since: `90s`, `15m`, `12h`, `7d`. */
export function momentArgument(text: string): Moment {
  const [, amount = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  if (unitMs !== undefined) return { agoMs: Number(amount) * unitMs }
  try {
    return { at: timeArgument(text) }
  } catch {
    throw new InvalidArgumentError(
      'It must be a time such as 2026-11-21T12:00:00Z, milliseconds since 1970, or how long ago: 90s, 15m, 12h, 7d.'
    )
  }
}

/** How long something lasts, in milliseconds: `90s`, `15m`, `12h`, `7d`. */
export function durationArgument(text: string): number {
  const [, amount = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? []
  const unitMs = UNIT_MS[unit]
  if (unitMs !== undefined) return Number(amount) * unitMs
  throw new InvalidArgumentError('It must be a time such as 90s, 15m, 12h or 7d.')
}

/** A tenant. */
export function tenantArgument(text: string): string {
  if (TENANT_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A tenant has lower-case letters, digits, _ and -, at most 64.')
}

/** An access token by its id. */
export function tokenIdArgument(text: string): string {
  if (TOKEN_ID_PATTERN.test(text)) return text
  throw new InvalidArgumentError('A token is named by its id, 16 hex digits: anchormesh tokens list')
}

/** An action of the audit log. */
export function actionArgument(text: string): string {
  if (ACTION_PATTERN.test(text)) return text
  throw new InvalidArgumentError('An action has upper-case letters, digits and _, such as POLICY_CHANGED.')
}

function wholeNumber(text: string): number | null {
  const number = Number(text)
  return /^(?:0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(number) ? number : null
}
