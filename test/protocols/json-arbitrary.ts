import fc from 'fast-check'
import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'

/** Names that engines or libraries treat in a way of their own, beside ordinary ones. */
const memberName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.nat({ max: 20 }).map(String),
  fc.constantFrom('__proto__', 'constructor', 'toJSON', '', '/', '-1', '01', '4294967295', '😀', '\ufb33', '\u2028')
)
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, -0, 1e-7, 5e-324, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER)
)
const { value, object } = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    number,
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object')
  ),
  // Built from text, so that "__proto__" becomes a member and not the prototype.
  object: fc
    .uniqueArray(fc.tuple(memberName, tie('value')), { maxLength: 5, selector: ([name]) => name })
    .map((members) => {
      const text = members.map(([name, member]) => `${JSON.stringify(name)}:${JSON.stringify(member)}`).join()
      return JSON.parse(`{${text}}`) as JsonObject
    })
}))

/** Any value that canonical JSON can hold, with members in any order. */
export const json: fc.Arbitrary<JsonValue> = value

/** Any object that canonical JSON can hold, with members in any order. */
export const jsonObject: fc.Arbitrary<JsonObject> = object
