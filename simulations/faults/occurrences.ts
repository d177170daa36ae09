import type { Fault, Selection } from '../scenario/schema.ts'

/** Once that a fault happens. */
export interface Occurrence {
  /** From 0: which time it is that the fault happens. */
  readonly turn: number
  /** Microseconds of the scenario. */
  readonly atUs: number
  /** When it is undone; `null`: never. */
  readonly untilUs: number | null
}

/** What can't be undone, or is not meant to be. */
const LASTING: ReadonlySet<Fault['kind']> = new Set(['reorganise', 'revoke', 'join'])
/** Without their `for` they last. */
const AWAY: ReadonlySet<Fault['kind']> = new Set(['crash', 'stop'])

/**
 * When a fault happens and is undone: `faultsEndUs` at the latest, but what lasts. `turns`: how many nodes take turns in a
 * rolling partition.
 */
export function occurrencesOf(fault: Fault, faultsEndUs: number, turns = 1): readonly Occurrence[] {
  const rolling = rollingOf(fault)
  if (rolling !== null) {
    const { each } = rolling
    return turnsOf(turns).map((turn) => {
      const atUs = fault.at + turn * each
      return { turn, atUs, untilUs: atUs + each }
    })
  }
  const lengthUs = lengthOf(fault, faultsEndUs)
  const { every = 0, times } = 'times' in fault ? fault : { times: 1 }
  return turnsOf(times).map((turn) => {
    const atUs = fault.at + turn * every
    return { turn, atUs, untilUs: lengthUs === null ? null : atUs + lengthUs }
  })
}

/** The name of a fault by its place in the list of them. */
export const faultName = (index: number): string => `faults[${index}]`

/** Under this name the nodes of a fault are drawn: those of one that happens several times anew each time. */
export const drawName = (fault: string, key: string, turn: number): string =>
  `${fault}.${key}${turn === 0 ? '' : ` ${turn}`}`

/** Which nodes are cut off in their turn, and how long each of them; `null` for other faults. */
export function rollingOf(fault: Fault): { readonly rolling: Selection; readonly each: number } | null {
  return fault.kind === 'partition' && fault.groups !== 'halves' && 'rolling' in fault.groups ? fault.groups : null
}

const turnsOf = (times: number): readonly number[] => Array.from({ length: times }, (_, turn) => turn)

function lengthOf(fault: Fault, faultsEndUs: number): number | null {
  if (LASTING.has(fault.kind)) return null
  if ('for' in fault && fault.for !== undefined) return fault.for
  if ('until' in fault && fault.until !== undefined) return fault.until - fault.at
  return AWAY.has(fault.kind) ? null : faultsEndUs - fault.at
}
