import { hex } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const levels = (count: number): string => '['.repeat(count) + ']'.repeat(count)

/** Canonical text by description. The value is what `JSON.parse` makes of it. */
const VALID: readonly (readonly [description: string, text: string])[] = [
  ['null', 'null'],
  ['true', 'true'],
  ['false', 'false'],
  ['an empty object', '{}'],
  ['an empty list', '[]'],
  ['an empty string', '""'],
  ['zero', '0'],
  ['a negative integer', '-1'],
  ['the greatest number allowed', '9007199254740991'],
  ['the least number allowed', '-9007199254740991'],
  ['a fraction', '0.1'],
  ['a fraction that needs 17 digits', '0.30000000000000004'],
  ['the smallest number without an exponent', '0.000001'],
  ['a number with an exponent', '1e-7'],
  ['the smallest double', '5e-324'],
  ['the two-character escapes', '"\\b\\t\\n\\f\\r\\"\\\\"'],
  ['control characters without an escape of two characters, hex digits in lower case', '"\\u0000\\u000b\\u001f"'],
  ['a slash and DEL stand for themselves', '"/\u007f"'],
  ['line separators stand for themselves', '"\u2028\u2029"'],
  ['characters of two, three and four bytes stand for themselves', '"ö€😀"'],
  ['noncharacters are allowed', '"\ufffe\uffff"'],
  ['composed and decomposed forms are different strings', '["\u00e5","a\u030a"]'],
  ['names in UTF-16 order: U+1F600 (D83D DE00) is before U+FB33', '{"😀":1,"\ufb33":2}'],
  ['an empty name comes first', '{"":1,"a":2}'],
  ['upper case is before lower case', '{"A":1,"B":2,"a":3}'],
  ['names that look like numbers, in order of their characters', '{"1":1,"10":2,"9":3,"a":4}'],
  ['a name that sorts before digits', '{"-":1,"1":2}'],
  ['names that mean something in some languages', '{"__proto__":{"a":1},"constructor":2,"toJSON":3,"toString":4}'],
  ['the same name in different objects', '{"a":{"a":{"a":1}},"b":{"a":1}}'],
  ['32 levels', levels(32)],
  ['nested objects and lists', '{"a":[1,{"b":[]},"c"],"d":{"e":null}}']
]

const INVALID: Readonly<Record<string, readonly (readonly [description: string, bytes: string | Uint8Array])[]>> = {
  MALFORMED: [
    ['nothing', ''],
    ['a byte that UTF-8 never has', Uint8Array.of(0x22, 0xff, 0x22)],
    ['an overlong form of U+0000', Uint8Array.of(0x22, 0xc0, 0x80, 0x22)],
    ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['a character that is cut off', Uint8Array.of(0x22, 0xe2, 0x82, 0x22)],
    ['a byte order mark', '\ufeff{}'],
    ['an object that is not closed', '{"a":1'],
    ['a comma before the end', '[1,]'],
    ['two values', '1 2'],
    ['a byte after the value', '{}\u0000'],
    ['single quotes', "{'a':1}"],
    ['a name without quotes', '{a:1}'],
    ['a comment', '[1/* one */]'],
    ['not a number', 'NaN'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['a full stop without digits before it', '.5'],
    ['a full stop without digits after it', '1.'],
    ['a control character as it is', '"\u0001"'],
    ['an unknown escape', '"\\x41"'],
    ['33 levels', levels(33)],
    ['33 levels of objects', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`],
    ['a text that is cut off after a name that stands twice', '{"a":1,"a":2'],
    ['33 levels and a number out of range', `[9007199254740992,${levels(32)}]`]
  ],
  DUPLICATE_KEY: [
    ['a name twice', '{"a":1,"a":2}'],
    ['a name twice with the same value', '{"a":1,"a":1}'],
    ['a name twice, once with an escape', '{"a":1,"\\u0061":2}'],
    ['deep inside', '[{"a":{"b":1,"c":2,"b":3}}]'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['a name that looks like a number twice', '{"1":1,"1":2}'],
    ['also not canonical: white space', '{ "a": 1, "a": 2 }'],
    ['also a number out of range further on', '{"a":1,"a":9007199254740992}']
  ],
  NUMBER_NOT_IJSON: [
    ['2^53', '9007199254740992'],
    ['-2^53', '-9007199254740992'],
    ['2^53 + 1, which no double holds', '9007199254740993'],
    ['beyond what a double holds', '1e400'],
    ['21 digits, which the canonical form writes with an exponent', '1e+21'],
    ['30 digits', '123456789012345678901234567890'],
    ['2^53 with a fraction', '9007199254740992.5'],
    ['as a member', '{"a":[0,-1e300]}'],
    ['also a name that stands twice further on', '{"a":9007199254740992,"a":1}']
  ],
  LONE_SURROGATE: [
    ['a high surrogate alone', '"\\ud800"'],
    ['a low surrogate alone', '"\\udc00"'],
    ['a pair in the wrong order', '"\\udc00\\ud800"'],
    ['a high surrogate before another character', '"\\ud83da"'],
    ['in upper case', '"\\uD83D"'],
    ['in a name', '{"\\ud800":1}'],
    ['after a good pair', '["\\ud83d\\ude00","\\ud83d"]']
  ],
  NOT_CANONICAL: [
    ['white space before', ' {}'],
    ['a newline after', '{}\n'],
    ['white space after a colon', '{"a": 1}'],
    ['white space after a comma', '[1, 2]'],
    ['names not in order', '{"b":1,"a":2}'],
    ['names not in order deep inside', '[{"x":{"b":1,"a":2}}]'],
    ['names in the order of code points: U+FB33 before U+1F600', '{"\ufb33":2,"😀":1}'],
    ['names that look like numbers, in order of the numbers', '{"9":1,"10":2}'],
    ['names that look like numbers first', '{"1":2,"-":1}'],
    ['an escaped slash', '"\\/"'],
    ['an escape for a letter', '"\\u0061"'],
    ['an escape for DEL', '"\\u007f"'],
    ['an escape for a character of three bytes', '"\\u20ac"'],
    ['escapes for a character of four bytes', '"\\ud83d\\ude00"'],
    ['a long escape where there is a short one', '"\\u000a"'],
    ['an escape in upper case', '"\\u001F"'],
    ['minus zero', '-0'],
    ['a fraction of zero', '1.0'],
    ['a zero at the end of a fraction', '0.10'],
    ['an integer with an exponent', '1e2'],
    ['an exponent in upper case', '1E-7'],
    ['a small number without an exponent', '0.0000001'],
    ['more digits than needed', '0.1000000000000000055511151231257827'],
    ['a number too small for a double', '1e-400'],
    ['the greatest number with a fraction that is lost', '9007199254740991.2']
  ]
}

/** The vectors of canonical-json/v1. */
export function canonicalJsonVectors(): readonly VectorFile[] {
  const valid = VALID.map(([description, text]): Vector => ({
    description,
    bytes: hex(text),
    value: JSON.parse(text) as unknown
  }))
  const invalid = Object.entries(INVALID).flatMap(([code, cases]) =>
    cases.map(([description, bytes]): Vector => ({ description, bytes: hex(bytes), code }))
  )
  return [
    {
      path: 'canonical-json/v1/vectors/valid.json',
      description: 'Canonical JSON: `bytes` (hex) is the one encoding of `value`.',
      vectors: valid
    },
    {
      path: 'canonical-json/v1/vectors/invalid.json',
      description: 'Not canonical JSON: reading `bytes` (hex) gives `code`.',
      vectors: invalid
    }
  ]
}
