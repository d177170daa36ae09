import type { SignedBodyCode } from '../../protocols/delivery/v1/signed-body.ts'
import type { Counts } from '../platform/tally.ts'

/** Every code of a body that has not the form of a signed one, at 0. */
export const NO_BODY_REFUSALS: Counts<SignedBodyCode> = {
  MALFORMED: 0,
  NOT_CANONICAL: 0,
  DUPLICATE_KEY: 0,
  NUMBER_NOT_IJSON: 0,
  LONE_SURROGATE: 0,
  BODY_TOO_LARGE: 0,
  SCHEMA_INVALID: 0,
  SIGNATURE_INVALID: 0
}
