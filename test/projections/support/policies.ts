import fc from 'fast-check'
import { packHash } from '../../../protocols/event/v1/anchor-pack.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import type { SignedEvent } from '../../support/events.ts'
import type { TestMember } from '../../support/identities.ts'
import { NAMESPACE, policyOf } from '../../support/identities.ts'
import { ADAM, ALICE, BERTA, CARL, EVERYBODY, OTHER_NAMESPACE } from './world.ts'

/** What an operator may have changed between two starts. */
export interface PolicyChoice {
  /** Who is in `peers.yaml`, beside the node itself. */
  readonly adam: boolean
  readonly berta: boolean
  readonly carl: boolean
  /** Whether Adam and Berta change places: organisations are a matter of configuration. */
  readonly swapped: boolean
  readonly announcers: readonly number[]
  readonly namespaces: readonly string[]
  /** Which of the first packs of org-a is pinned: one of them, one that nobody has, or none. */
  readonly pin: number | 'unknown' | 'none'
  readonly threshold: 1 | 2
  /** How many of whom have to attest; of those that are not known to the policy, nobody is asked. */
  readonly quorum: { readonly k: number; readonly of: readonly number[] } | null
  /** The organisation whose keys are in the key domain of a tenant: that of the namespaces, or another. */
  readonly domain: { readonly orgId: string; readonly tenant: 'test' | 'other' } | null
  /** Whether announces have to name a measurement, which none of them does. */
  readonly measured: boolean
  /** Who may timestamp for whom. */
  readonly timestamping: { readonly from: string; readonly to: string } | null
}

const ORGANISATIONS = [...new Set(EVERYBODY.map(({ orgId }) => orgId))]
const someOrg = fc.constantFrom(...ORGANISATIONS)
const someOrgOrAny = fc.constantFrom('*', ...ORGANISATIONS)

export const somePolicy: fc.Arbitrary<PolicyChoice> = fc.record({
  adam: fc.boolean(),
  berta: fc.boolean(),
  carl: fc.boolean(),
  swapped: fc.boolean(),
  announcers: fc.subarray([0, 1, 2, 3]),
  namespaces: fc.subarray([NAMESPACE, OTHER_NAMESPACE]),
  pin: fc.oneof(
    { arbitrary: fc.constant('none' as const), weight: 3 },
    { arbitrary: fc.nat(2), weight: 2 },
    { arbitrary: fc.constant('unknown' as const), weight: 1 }
  ),
  threshold: fc.constantFrom(1, 1, 2),
  quorum: fc.option(fc.record({ k: fc.integer({ min: 1, max: 3 }), of: fc.subarray([0, 1, 2, 3], { minLength: 1 }) })),
  domain: fc.option(fc.record({ orgId: someOrg, tenant: fc.constantFrom('test' as const, 'other' as const) })),
  measured: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
  timestamping: fc.option(fc.record({ from: someOrgOrAny, to: someOrgOrAny }), { freq: 4 })
})

/** The policy of Alice's node; `events` are those among which a pinned pack is looked for. */
export function chosenPolicy(choice: PolicyChoice, events: readonly SignedEvent[]): EffectivePolicy {
  const adam: TestMember = { ...ADAM, orgId: choice.swapped ? BERTA.orgId : ADAM.orgId }
  const berta: TestMember = { ...BERTA, orgId: choice.swapped ? ADAM.orgId : BERTA.orgId }
  const members = [
    ALICE,
    ...(choice.adam ? [adam] : []),
    ...(choice.berta ? [berta] : []),
    ...(choice.carl ? [CARL] : [])
  ]
  const firstPack = pinned(choice.pin, events)
  const organisations =
    choice.pin === 'none' && choice.threshold === 1
      ? []
      : [{ orgId: 'org-a', threshold: choice.threshold, ...(firstPack === undefined ? {} : { firstPack }) }]
  const asked = EVERYBODY.filter(
    ({ signer }, index) =>
      (choice.quorum?.of.includes(index) ?? false) && members.some((known) => known.signer.did === signer.did)
  )
  return policyOf(ALICE, members, {
    ...(asked.length === 0 ? {} : { quorum: { k: Math.min(choice.quorum?.k ?? 1, asked.length), of: asked } }),
    namespaces: choice.namespaces,
    tenants: choice.domain === null ? {} : { [choice.domain.orgId]: choice.domain.tenant },
    attestations: { required: choice.measured },
    crossOrg: choice.timestamping === null ? [] : [{ ...choice.timestamping, operations: ['timestamp'] }],
    announcers: members.filter((_, index) => choice.announcers.includes(index)),
    organisations
  })
}

function pinned(pin: PolicyChoice['pin'], events: readonly SignedEvent[]): string | undefined {
  if (pin === 'none') return undefined
  if (pin === 'unknown') return sha256Hex('a pack that nobody made')
  const first = events.filter(({ envelope }) => envelope.body['orgId'] === 'org-a' && envelope.body['packSeq'] === 1)
  const body = first[pin % Math.max(1, first.length)]?.envelope.body
  return body === undefined ? undefined : packHash(body)
}
