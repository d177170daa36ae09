import { toHex } from '../../protocols/primitives/bytes.ts'
import type { Random } from '../platform/random.ts'

/** Ids of drills and matrices: when they began, and random bytes. In byte order they are in order of time. */
export const RUN_ID_PATTERN = /^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}$/

const RANDOM_BYTES = 4

/** The id of a run that began at `time` (ISO 8601, UTC, milliseconds). */
export function newRunId(time: string, random: Random): string {
  return `${compact(time)}-${toHex(random.bytes(RANDOM_BYTES))}`
}

/** Whether the id is that of a run that began then. */
export function isRunOf(id: string, time: string): boolean {
  return id.slice(0, id.lastIndexOf('-')) === compact(time)
}

function compact(time: string): string {
  return time.replaceAll(/[-:.]/g, '')
}
