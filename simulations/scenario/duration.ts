import { z } from 'zod'

const UNIT_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  min: 60_000_000,
  h: 3_600_000_000
}
const DURATION_PATTERN = /^(\d+(?:\.\d+)?) ?(us|ms|s|min|h)$/
// Longer runs are possible, but a slip in the unit is likelier.
const DURATION_MAX_US = 366 * 24 * 3_600_000_000

const FORMS = 'write a number with us, ms, s, min or h, such as 1s, 250ms, 2min'
const NONE = `is not a duration: ${FORMS}`

// A number is refused in words of its own: that the unit is missing is what people forget most.
const written = z.union(
  [
    z.string().regex(DURATION_PATTERN, { error: ({ input }) => (isBareNumber(input) ? withoutUnit(input) : NONE) }),
    z.number().refine(() => false, { error: ({ input }) => withoutUnit(input) })
  ],
  { error: ({ input }) => (input === undefined ? 'is required' : NONE) }
) as z.ZodType<string, string>

/** Virtual time as people write it (`250ms`, `90s`, `10 min`), as integer microseconds. */
export const duration = z.codec(written, z.number().max(DURATION_MAX_US, 'is longer than a year'), {
  decode: (text) => parseDurationUs(text) ?? Number.NaN,
  encode: durationText
})

/** Microseconds; `null` where the text is no duration. */
export function parseDurationUs(text: string): number | null {
  const [, amount = '', unit = ''] = DURATION_PATTERN.exec(text) ?? []
  const unitUs = UNIT_US[unit]
  return unitUs === undefined ? null : Math.round(Number(amount) * unitUs)
}

/** In the longest unit of which it is a whole number. */
export function durationText(us: number): string {
  const isWhole = ([, unitUs]: [string, number]): boolean => us % unitUs === 0 && us >= unitUs
  const [unit, unitUs] = Object.entries(UNIT_US).findLast(isWhole) ?? ['s', 1]
  return `${us / unitUs}${unit}`
}

const isBareNumber = (given: unknown): boolean => typeof given === 'string' && /^\d+(?:\.\d+)?$/.test(given)

const withoutUnit = (given: unknown): string => `is ${String(given)} without a unit: ${FORMS}`
