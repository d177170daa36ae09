import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sortableNumber } from '../log/keys.ts'
import type { AnchoredKey, PackEffect, PackHead, PackState } from '../trust/pack-chain.ts'

/**
 * What a projection remembers of an organisation's packs, each thing in an entry of its own, so that none grows. Where
 * there can be many of a kind they are linked, each naming the next: one look-up finds the first of exactly those that
 * are asked for, while a range would look through all that the fold at hand has written.
 */

/** One distinct pack, in however many events it came. */
export type PackFact = {
  readonly packSeq: number
  /** `waiting`: its predecessor is no valid pack yet. Else what the one judgement on it said. */
  readonly verdict: 'waiting' | 'valid' | PackEffect
  /** The smallest id of the events that carry it: its `ts` is the pack's time, in whatever order they came. */
  readonly eventId: string
  readonly ts: number
}

/** How many valid packs stand at a number. */
export type LevelFact = { readonly valid: number }

/** The first entry of a list. */
export type FirstFact = { readonly first: string }

/** Where the body of a pack that waits can be read again, and the next pack that waits for the same predecessor. */
export type WaitingFact = { readonly logSeq: number; readonly next: string | null }

export type HeadFact = PackHead & JsonObject

// Each key ends in a part of fixed length or in a mark that no name contains, so that none is the beginning of another.
export const headKey = (orgId: string): string => `head!${orgId}!`
export const packKey = (orgId: string, hash: string): string => `pack!${orgId}!${hash}`
export const stateKey = (orgId: string, hash: string): string => `state!${orgId}!${hash}`
export const levelKey = (orgId: string, packSeq: number): string => `level!${orgId}!${sortableNumber(packSeq)}`
export const waitingKey = (orgId: string, hash: string): string => `waiting!${orgId}!${hash}`
export const firstWaitingKey = (orgId: string, packSeq: number, prevPack: string): string =>
  `first-waiting!${orgId}!${sortableNumber(packSeq)}!${prevPack}`

/** Keys in ascending order of kid. */
export function encodeState({ packSeq, hash, threshold, validUntil, keys }: PackState): JsonObject {
  const anchored = [...keys.values()].sort((left, right) => (left.key.kid < right.key.kid ? -1 : 1))
  return { packSeq, hash, threshold, validUntil, keys: anchored as unknown as JsonObject[] }
}

export function decodeState(fact: JsonObject): PackState {
  const { keys, ...state } = fact as unknown as Omit<PackState, 'keys'> & { readonly keys: readonly AnchoredKey[] }
  return { ...state, keys: new Map(keys.map((anchored) => [anchored.key.kid, anchored])) }
}
