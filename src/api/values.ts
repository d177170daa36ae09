import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import {
  DID_PATTERN,
  HASH_PATTERN,
  NAMESPACE_PATTERN,
  SIGNER_CHARS_MAX,
  TRUST_NAMESPACE,
  TYPE_PATTERN
} from '../../protocols/event/v1/envelope.ts'

/** Values in requests and answers, in the forms that the protocol gives them. */
export const namespace = z
  .string()
  .refine((text) => NAMESPACE_PATTERN.test(text) || text === TRUST_NAMESPACE, 'is no namespace')
  .meta({ pattern: `${NAMESPACE_PATTERN.source}|^${TRUST_NAMESPACE}$` })
export const batchId = z.string().regex(NAME_PATTERN, 'is no batch id')
export const organisation = z.string().regex(NAME_PATTERN, 'is no organisation id')
export const did = z.string().max(SIGNER_CHARS_MAX).regex(DID_PATTERN, 'is no DID')
export const eventType = z.string().regex(TYPE_PATTERN, 'is no event type')
/** A SHA-256: an id, a root, a leaf, a digest. */
export const hash = z.string().regex(HASH_PATTERN, 'is no hash')
/** Statuses, effects and the like: words of letters. */
export const status = z.string().regex(/^[A-Za-z][A-Za-z_-]{0,63}$/, 'is no status')

/** A decimal integer without sign or leading zeros, as text. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> {
  const message = `is no integer from ${least} to ${most}`
  return z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,15})$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message)
    .meta({ type: 'integer', minimum: least, maximum: most, pattern: undefined })
}

/** Words of a closed set, separated by commas, none of them twice. */
export function wordsOf<const Words extends readonly [string, ...string[]]>(
  words: Words
): z.ZodType<readonly Words[number][], string> {
  const message = `is no list of ${words.join(', ')}`
  const word = words.join('|')
  return z
    .string()
    .max(words.join(',').length, message)
    .regex(new RegExp(`^(?:${word})(?:,(?:${word}))*$`), message)
    .transform((text) => text.split(',') as Words[number][])
    .refine((list) => new Set(list).size === list.length, message)
}
