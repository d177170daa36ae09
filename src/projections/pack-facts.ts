import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sortableNumber } from '../log/keys.ts'
import type { PackEffect, PackHead } from '../trust/pack-chain.ts'

/**
 * What a projection remembers of an organisation's packs, each thing in an entry of its own, so that none grows. Where
 * there can be many of a kind they are linked, each naming the next: one look-up finds the first of exactly those that
 * are asked for, while a range would look through all that the fold at hand has written.
 */

/** One distinct pack, in however many events it came. */
export type PackFact = {
  readonly packSeq: number
  /**
   * `waiting`: its predecessor is no valid pack yet. Else what the one judgement on it said; of what passed it,
   * `unsigned` while no event carries it with the right signatures, `weak` if one does and a key is no good one.
   */
  readonly verdict: 'waiting' | 'unsigned' | 'weak' | 'valid' | PackEffect
  readonly spokesman: Spokesman | null
  /** While it waits, the last of the events that came with it. */
  readonly lastCopy: string | null
}

/** The event with the smallest id that carries a pack: its `ts` is the pack's time, in whatever order they came. */
export type Spokesman = { readonly eventId: string; readonly ts: number }

/** An event that came with a pack that waits: its signatures are checked once it is known under which keys. */
export type CopyFact = { readonly logSeq: number; readonly before: string | null }

/** An event with a pack that others may carry and it does not, because of its signatures. */
export type MisfitFact = { readonly hash: string }

/** How many valid packs stand at a number. */
export type LevelFact = { readonly valid: number }

/** The first entry of a list. */
export type FirstFact = { readonly first: string }

/** Where the body of a pack that waits can be read again, and the next pack that waits for the same predecessor. */
export type WaitingFact = { readonly logSeq: number; readonly next: string | null }

export type HeadFact = PackHead & JsonObject

// Each key ends in a part of fixed length or in a mark that no name contains, so that none is the beginning of another.
export const HEADS_PREFIX = 'head!'
export const headKey = (orgId: string): string => `${HEADS_PREFIX}${orgId}!`
export const PACK_FACTS_PREFIX = 'pack!'
export const packKey = (orgId: string, hash: string): string => `${PACK_FACTS_PREFIX}${orgId}!${hash}`
export const stateKey = (orgId: string, hash: string): string => `state!${orgId}!${hash}`
export const levelKey = (orgId: string, packSeq: number): string => `level!${orgId}!${sortableNumber(packSeq)}`
export const copyKey = (orgId: string, eventId: string): string => `copy!${orgId}!${eventId}`
export const misfitKey = (orgId: string, eventId: string): string => `misfit!${orgId}!${eventId}`
export const waitingKey = (orgId: string, hash: string): string => `waiting!${orgId}!${hash}`
export const firstWaitingKey = (orgId: string, packSeq: number, prevPack: string): string =>
  `first-waiting!${orgId}!${sortableNumber(packSeq)}!${prevPack}`
