import { z } from 'zod'
import type { HttpCode } from './errors.ts'
import type { RawBody } from './route-docs.ts'

/** What a route refuses with whose body has a `signed` that is signed in canonical form (protocols/delivery/v1, DE-1 to DE-4). */
export const SIGNED_CODES = [
  'MALFORMED',
  'DUPLICATE_KEY',
  'NUMBER_NOT_IJSON',
  'LONE_SURROGATE',
  'SCHEMA_INVALID',
  'WRONG_AUDIENCE',
  'TIMESTAMP_SKEW',
  'NODE_UNKNOWN',
  'SIGNATURE_INVALID'
] as const satisfies readonly HttpCode[]

/** Such a body, for the documentation. */
export const signedBody = (signed: z.ZodType): RawBody => ({
  mediaType: 'application/json',
  schema: z.strictObject({
    signed,
    signatures: z
      .array(z.strictObject({ protected: z.string(), signature: z.string() }))
      .length(1)
      .describe('A detached JWS over the canonical form (RFC 8785) of `signed`.')
  })
})
