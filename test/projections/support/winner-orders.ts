import fc from 'fast-check'
import { expect } from 'vitest'
import { viewPolicy } from '../../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import type { Verdict } from '../../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../../src/timestamps/verdict.ts'
import type { SignedEvent } from '../../support/events.ts'
import type { PolicyOptions } from '../../support/identities.ts'
import { NAMESPACE, policyOf } from '../../support/identities.ts'
import { Variety, assertVaried } from '../../support/variety.ts'
import { evidenceIn, identityName } from './evidence.ts'
import type { Ledger } from './ledger.ts'
import { everyRow, openLedger, sharedLines } from './ledger.ts'
import { admissible, someArrival } from './order.ts'
import { chosenPolicy, somePolicy } from './policies.ts'
import { expectedWinnerLines, someJudgement, verdictsOf } from './winner-model.ts'
import { ADAM, ALICE, BERTA, CARL, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from './world.ts'

/** Carl may announce nowhere. */
const policyWith = (
  quorum: { readonly k: number; readonly of: readonly number[] },
  effects: PolicyOptions = {}
): EffectivePolicy =>
  policyOf(ALICE, EVERYBODY, {
    namespaces: [NAMESPACE, OTHER_NAMESPACE],
    announcers: [ALICE, ADAM, BERTA],
    ...effects,
    quorum: { k: quorum.k, of: [ALICE, ADAM, BERTA, CARL].filter((_, index) => quorum.of.includes(index)) }
  })

/** The same, but that only some chains are listed. */
function onChains(policy: EffectivePolicy, chains: readonly string[]): EffectivePolicy {
  const finality = Object.fromEntries(
    chains.map((chain) => [chain, chain.startsWith('rfc3161:') ? {} : { depth: 6 }] as const)
  )
  const namespaces = Object.entries(policy.namespaces).map(([name, settings]) => [name, { ...settings, finality }])
  return { ...policy, namespaces: Object.fromEntries(namespaces) as EffectivePolicy['namespaces'] }
}

/** What takes the effect from some events: who may timestamp for whom, and whose keys are of which tenant. */
const someEffects: fc.Arbitrary<PolicyOptions> = fc
  .record({
    from: fc.constantFrom('*', BERTA.orgId, CARL.orgId),
    operations: fc.constantFrom(['timestamp'], ['*'], ['bundle']),
    tenants: fc.constantFrom({}, {}, { [BERTA.orgId]: 'other' }, { [CARL.orgId]: 'test' })
  })
  .map(({ from, operations, tenants }) => ({ tenants, crossOrg: [{ from, to: '*', operations }] }))

const someQuorum = fc
  .subarray([0, 1, 2, 3], { minLength: 1 })
  .chain((of) => fc.record({ k: fc.integer({ min: 1, max: Math.min(2, of.length) }), of: fc.constant(of) }))

/**
 * Events in groups, policies between them, and each verdict somewhere after the first announce of its evidence and after
 * the verdicts before it.
 */
async function arrive(
  ledger: Ledger,
  groups: readonly SignedEvent[][],
  verdicts: readonly Verdict[],
  { delays, policies, last }: { delays: readonly number[]; policies: readonly EffectivePolicy[]; last: EffectivePolicy }
): Promise<void> {
  const held = new Set<string>()
  let waiting = verdicts.map((verdict, index) => ({ verdict, delay: delays[index % delays.length] ?? 0 }))
  for (const [index, group] of [...groups, []].entries()) {
    await ledger.append(...group)
    for (const event of group)
      for (const identity of evidenceIn(event, (did) => viewPolicy(last).orgOf(did))) held.add(identityName(identity))
    const blocked = new Set<string>()
    const later = []
    for (const { verdict, delay } of waiting) {
      const name = identityName(verdict)
      if (held.has(name) && !blocked.has(name) && (delay <= 0 || index === groups.length))
        await ledger.appendLocal(verdictEvent(1, verdict))
      else {
        blocked.add(name)
        later.push({ verdict, delay: held.has(name) ? delay - 1 : delay })
      }
    }
    waiting = later
    const policy = policies[index]
    if (policy !== undefined) await ledger.appendPolicy(policy)
    if (index % 3 === 0) await ledger.caughtUp()
  }
  await ledger.appendPolicy(last)
}

const STATUSES = ['proposed', 'verified', 'settled'] as const

/** By then a winner has been settled: it is one in 0.06 of the cases. */
const RUNS_TO_SETTLE = 400

/**
 * Any order of announces, verdicts, attestations and policies gives the winners, losers, rules and states that follow from
 * the whole sets, and a rebuild changes nothing.
 */
export async function checkWinnerOrders(numRuns: number): Promise<void> {
  const delays = fc.array(fc.nat(4), { minLength: 1, maxLength: 8 })
  const variety = new Variety({ proposed: 1, verified: 1, settled: 1 })
  await assertVaried(
    fc.asyncProperty(
      someActs(40, { attestWeight: 10 }),
      fc.array(someJudgement, { maxLength: 40, size: 'max' }),
      someArrival,
      delays,
      someQuorum,
      fc.array(somePolicy, { maxLength: 2 }),
      someEffects,
      async (acts, judgements, arrival, waits, quorum, choices, effects) => {
        const events = await eventsOf(acts)
        const last = policyWith(quorum, effects)
        const verdicts = verdictsOf(events, judgements, last)
        const policies = choices.map((choice) => chosenPolicy(choice, events))
        const ledger = await openLedger({ policy: policies[0] ?? last })
        await arrive(ledger, admissible(events, arrival), verdicts, { delays: waits, policies, last })
        await ledger.caughtUp()
        const shown = (await sharedLines(ledger))['winners']?.toSorted()
        const before = await everyRow(ledger)
        const rebuilt = await ledger.engine.rebuild()
        const after = await everyRow(ledger)
        await ledger.close()
        expect(shown).toEqual(expectedWinnerLines(events, verdicts, last))
        expect(after).toEqual(before)
        expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
        const statuses = new Set((before['winners'] ?? []).map(({ status }) => status))
        for (const status of STATUSES) variety.saw(status, statuses.has(status))
      }
    ),
    variety,
    { numRuns, portions: Math.ceil(RUNS_TO_SETTLE / numRuns) }
  )
}

// One batch of one organisation, so that what else is announced, said, found and configured is about the same evidence.
const someEvidence = fc.record({
  act: fc.constant('announce' as const),
  author: fc.nat(2),
  back: fc.constant(0),
  namespace: fc.constant(0),
  batch: fc.constant(0),
  root: fc.nat(2),
  owner: fc.constant(0),
  anchors: fc.array(fc.record({ rail: fc.nat(3), evidence: fc.nat(1), variant: fc.nat(1) }), { maxLength: 3 })
})
const someWord = fc.record({
  act: fc.constant('attest' as const),
  author: fc.nat(3),
  back: fc.constant(0),
  otherKey: fc.constant(false),
  pick: fc.nat(20),
  organisation: fc.constant(0),
  says: fc.constantFrom('verified' as const, 'verified' as const, 'refuted' as const),
  position: fc.constantFrom(1, 1, 2)
})
const someRules = fc.record({
  quorum: someQuorum,
  effects: someEffects,
  chains: fc.subarray(['btc:*', 'eip155:1', 'rfc3161:*'], { minLength: 1 })
})

/** The same on one batch whose roots, evidence, quorum and chains come in any order. */
export async function checkBatchOrders(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(someEvidence, someWord), { minLength: 2, maxLength: 16, size: 'max' }),
      fc.array(someJudgement, { minLength: 2, maxLength: 16, size: 'max' }),
      someArrival,
      fc.array(fc.nat(4), { minLength: 1, maxLength: 8 }),
      fc.array(someRules, { minLength: 1, maxLength: 3 }),
      async (acts, judgements, arrival, delays, rules) => {
        const events = await eventsOf(acts)
        const policies = rules.map(({ quorum, chains, effects }) => onChains(policyWith(quorum, effects), chains))
        const [last = policyWith({ k: 1, of: [0] }), ...before] = policies
        const verdicts = verdictsOf(events, judgements, last)
        const ledger = await openLedger({ policy: before[0] ?? last })
        await arrive(ledger, admissible(events, arrival), verdicts, { delays, policies: before, last })
        await ledger.caughtUp()
        const shown = (await sharedLines(ledger))['winners']?.toSorted()
        const rebuilt = await ledger.engine.rebuild()
        await ledger.close()
        expect(shown).toEqual(expectedWinnerLines(events, verdicts, last))
        expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
      }
    ),
    { numRuns }
  )
}
