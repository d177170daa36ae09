/** The named bits of `PKIFailureInfo` that a time-stamping authority may set (RFC 3161 2.4.2). */
export const FAILURE_BITS = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  addInfoNotAvailable: 17,
  systemFailure: 25
} as const

export type TimestampFailure = keyof typeof FAILURE_BITS

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(FAILURE_BITS).map(([name, bit]) => [bit, name]))

// RFC 4210 5.2.3 names no bit beyond 26; what fills 32 is shown by its number.
const BITS_SHOWN = 32

/** The names of the bits that are set; bits that RFC 3161 does not name are `bit N`. */
export function failureNames(isSet: (bit: number) => boolean): readonly string[] {
  return Array.from({ length: BITS_SHOWN }, (_, bit) => bit)
    .filter(isSet)
    .map((bit) => NAMES.get(bit) ?? `bit ${bit}`)
}
