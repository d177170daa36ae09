import { parseDurationUs } from '../scenario/duration.ts'
import type { ParameterValue } from './sweep.ts'

/** How all values of one parameter are told, in tables and along an axis: in one unit. */
export interface ParameterScale {
  /** `null`: numbers without one, or texts. */
  readonly unit: 's' | null
  readonly isNumeric: boolean
  readonly place: (value: ParameterValue | undefined) => number | string
}

/** Numbers as they are; durations as seconds, beside other values as texts that end in `s`; others as texts. */
export function parameterScale(values: readonly (ParameterValue | undefined)[]): ParameterScale {
  if (values.every((value) => typeof value === 'number')) return { unit: null, isNumeric: true, place: Number }
  if (values.every((value) => secondsOf(value) !== null))
    return { unit: 's', isNumeric: true, place: (value) => secondsOf(value) ?? Number.NaN }
  return { unit: null, isNumeric: false, place: textOf }
}

function textOf(value: ParameterValue | undefined): string {
  const seconds = secondsOf(value)
  return seconds === null ? String(value) : `${seconds}s`
}

function secondsOf(value: ParameterValue | undefined): number | null {
  const us = typeof value === 'string' ? parseDurationUs(value) : null
  return us === null ? null : us / 1_000_000
}
