import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { NAMESPACE_PATTERN } from '../../protocols/event/v1/envelope.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'

/** Names in requests, in the forms that the protocol gives them. */
export const namespace = z
  .string()
  .refine((text) => NAMESPACE_PATTERN.test(text) || text === TRUST_NAMESPACE, 'is no namespace')
export const batchId = z.string().regex(NAME_PATTERN, 'is no batch id')
