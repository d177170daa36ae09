import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { NAMESPACE_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'

/** Names in requests, in the forms that the protocol gives them. */
export const namespace = z
  .string()
  .refine((text) => NAMESPACE_PATTERN.test(text) || text === TRUST_NAMESPACE, 'is no namespace')
export const batchId = z.string().regex(NAME_PATTERN, 'is no batch id')

/** A decimal integer without sign or leading zeros, as text. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> {
  const message = `is no integer from ${least} to ${most}`
  return z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,15})$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message)
}
