import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { packHash, packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import type { AnchorPack, KeyStatus } from '../../protocols/event/v1/anchor-pack.ts'
import type { PackState } from '../../src/trust/pack-chain.ts'
import { judgePack, rootState } from '../../src/trust/pack-chain.ts'
import { nextPackBody, openPlan, plannedKeys, shortfall, signerCount, withIntended } from '../../src/trust/pack-plan.ts'
import { NO_PLAN } from '../../src/trust/signer-registry.ts'
import type { SignerPlan } from '../../src/trust/signer-registry.ts'
import { member } from '../support/identities.ts'
import { ORG, keyOf } from './organisation.ts'

const KEYS = ['a', 'b', 'c', 'd'].map((name) => keyOf(member(name)))
const root = { orgId: ORG, threshold: 1, pins: new Map<number, string>(), keys: KEYS }

interface Decision {
  readonly key: number
  readonly status: KeyStatus
  readonly uses: readonly ('event' | 'pack')[]
}

const decision: fc.Arbitrary<Decision> = fc.record({
  key: fc.nat(KEYS.length - 1),
  status: fc.constantFrom('ACTIVE', 'ACTIVE', 'RETIRED', 'REVOKED'),
  uses: fc.constantFrom(['event'], ['pack'], ['event', 'pack'])
})

function decide(plan: SignerPlan, { key, status, uses }: Decision, after: number, at: number): SignerPlan {
  const held = KEYS[key]
  if (held === undefined) throw new Error('no such key')
  const ended = status === 'ACTIVE' ? {} : { retiredAt: at, lastGood: 'tips' as const }
  const revoked = status === 'REVOKED' ? { revokedAt: at, reason: `at ${at}` } : {}
  return withIntended(plan, { ...held, uses, status, notBefore: 1, ...ended, ...revoked, after })
}

/** As it is after it has been written and read: members in their canonical order. */
const travelled = (pack: AnchorPack): AnchorPack => JSON.parse(encodeCanonical(pack)) as AnchorPack

test('a full pack and a delta of one plan have the same root, and lead to the same keys', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ decisions: fc.array(decision, { maxLength: 4 }), delta: fc.boolean() }), { maxLength: 8 }),
      (steps) => {
        let head: PackState = rootState(root)
        for (const [index, { decisions, delta }] of [{ decisions: [], delta: false }, ...steps].entries()) {
          const first = { key: 0, status: 'ACTIVE', uses: ['event', 'pack'] } as const
          const made = index === 0 ? [first, ...decisions] : decisions
          const plan = made.reduce((before, one) => decide(before, one, head.packSeq, index), NO_PLAN)
          const keys = plannedKeys(head, plan, () => [])
          const validUntil = 1_000 + index
          const signingKids = [...head.keys.keys(), ...keys.map(({ kid }) => kid)]
            .filter((kid, place, all) => all.indexOf(kid) === place && head.keys.get(kid)?.key.status !== 'REVOKED')
            .sort()
          const next = { head, orgId: ORG, keys, threshold: 1, validUntil, signingKids }
          const packs = [false, true].map((isDelta) => travelled(nextPackBody({ ...next, isDelta })))
          expect(packs.map(({ root: found }) => found)).toEqual(
            [0, 1].map(() => packRoot({ orgId: ORG, threshold: 1, keys }))
          )
          const judged = packs.map((pack) => judgePack(root, head, { hash: packHash(pack), pack }))
          const [full, small] = judged
          if (full?.ok !== true || small?.ok !== true) {
            expect(full).toEqual(small)
            // Where no key is left that may sign, or one that is not for events would become so.
            const lacks = shortfall(signerCount(root, head, keys, 1), signingKids)
            const isShort = lacks.old + lacks.fresh > 0
            expect(['PACK_STATUS_BACKWARD', isShort ? 'PACK_THRESHOLD' : '']).toContain(
              full?.ok === false && full.effect
            )
            return
          }
          const keysOf = (state: PackState): unknown =>
            Object.fromEntries([...state.keys].map(([kid, { key }]) => [kid, key]))
          expect(keysOf(small.state)).toEqual(keysOf(full.state))
          const [chosen] = [delta ? small : full]
          head = chosen.state
          // What the pack has carried out is not decided any more.
          expect(openPlan(plan, head).keys.filter(({ kid }) => head.keys.get(kid)?.packSeq === head.packSeq)).toEqual(
            []
          )
        }
      }
    )
  )
})
