import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkCrossOrgPolicy } from '../../src/policy/cross-org.ts'
import type { AnnounceFacts } from '../../src/policy/effect-rules.ts'
import { attestationEffect, policyEffect } from '../../src/policy/effect-rules.ts'
import type { PolicyView } from '../../src/policy/policy-view.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { PolicyOptions } from '../support/identities.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'

const self = member('self')
const ada = member('ada')
const eve = member('eve')
const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)] as const

function viewOf(options: PolicyOptions = {}): PolicyView {
  return viewPolicy(policyOf(self, [self, ada], { crossOrg: [], ...options }))
}

const facts: AnnounceFacts = {
  namespace: NAMESPACE,
  signer: ada.signer.did,
  kid: ada.signer.kid,
  owner: ada.orgId,
  hasEvidence: true
}

function effectOf(options: PolicyOptions, changes: Partial<AnnounceFacts> = {}): string | null {
  return policyEffect({ ...facts, ...changes }, viewOf(options))?.code ?? null
}

describe('the effect of an announce under the policy', () => {
  test.each<[string, string | null, PolicyOptions, Partial<AnnounceFacts>]>([
    ['nothing stands against it', null, {}, {}],
    ['the role is missing', 'ROLE_MISSING', { announcers: [self] }, {}],
    [
      'the role is missing, and something else is, too',
      'CROSS_ORG_DENIED',
      { announcers: [self] },
      { owner: self.orgId }
    ],
    ['nobody knows the signer', 'ROLE_MISSING', {}, { signer: eve.signer.did }],
    ["its key is of the namespace's tenant", null, { tenants: { [ada.orgId]: 'test' } }, {}],
    ['its key is of another tenant', 'MAPPING_VIOLATION', { tenants: { [ada.orgId]: 'other' } }, {}],
    ['another key of it is of another tenant', null, { tenants: { [ada.orgId]: 'other' } }, { kid: 'newer' }],
    ['keys of others are of another tenant', null, { tenants: { [self.orgId]: 'other' } }, {}],
    ['it names a measurement where none is asked for', null, {}, { attestationMeasurementHash: ONE }],
    ['it names what is allowed', null, { attestations: { measurements: [ONE] } }, { attestationMeasurementHash: ONE }],
    [
      'it names another',
      'ATTESTATION_DENIED',
      { attestations: { measurements: [ONE] } },
      { attestationMeasurementHash: TWO }
    ],
    ['it names none, where it need not', null, { attestations: { measurements: [ONE] } }, {}],
    [
      'it names none, where it must',
      'ATTESTATION_DENIED',
      { attestations: { required: true, measurements: [ONE] } },
      {}
    ],
    [
      'one is required, and none allowed',
      'ATTESTATION_DENIED',
      { attestations: { required: true } },
      { attestationMeasurementHash: ONE }
    ],
    [
      "it names the signer's own",
      null,
      { attestations: { measurements: [ONE], signers: { [ada.signer.did]: [TWO] } } },
      { attestationMeasurementHash: TWO }
    ],
    [
      "it names everybody's, and the signer has its own",
      'ATTESTATION_DENIED',
      { attestations: { measurements: [ONE], signers: { [ada.signer.did]: [TWO] } } },
      { attestationMeasurementHash: ONE }
    ],
    [
      'the signer may name none at all',
      'ATTESTATION_DENIED',
      { attestations: { signers: { [ada.signer.did]: [] } } },
      { attestationMeasurementHash: ONE }
    ],
    [
      'only another signer is bound',
      null,
      { attestations: { signers: { [self.signer.did]: [ONE] } } },
      { attestationMeasurementHash: TWO }
    ],
    ["it adds evidence to another organisation's root", 'CROSS_ORG_DENIED', {}, { owner: self.orgId }],
    ["it names another organisation's root without evidence", null, {}, { owner: self.orgId, hasEvidence: false }],
    [
      'a rule lets it',
      null,
      { crossOrg: [{ from: ada.orgId, to: self.orgId, operations: ['bundle', 'timestamp'] }] },
      { owner: self.orgId }
    ],
    [
      'a rule lets others',
      'CROSS_ORG_DENIED',
      { crossOrg: [{ from: self.orgId, to: ada.orgId, operations: ['*'] }] },
      { owner: self.orgId }
    ],
    [
      'a rule lets it do something else',
      'CROSS_ORG_DENIED',
      { crossOrg: [{ from: '*', to: '*', operations: ['bundle'] }] },
      { owner: self.orgId }
    ],
    [
      'of several faults the first in order is named',
      'MAPPING_VIOLATION',
      { tenants: { [ada.orgId]: 'other' }, attestations: { required: true } },
      { owner: self.orgId }
    ]
  ])('%s: %s', (_, code, options, changes) => {
    expect(effectOf(options, changes)).toBe(code)
  })

  test('says what was expected', () => {
    const detail = (options: PolicyOptions, changes: Partial<AnnounceFacts> = {}): string | undefined =>
      policyEffect({ ...facts, ...changes }, viewOf(options))?.detail
    expect(detail({ tenants: { [ada.orgId]: 'other' } })).toBe(
      `the key ${ada.signer.kid} of org-ada signs for the tenant other, and ${NAMESPACE} belongs to test`
    )
    expect(detail({ attestations: { required: true, measurements: [ONE, TWO] } })).toBe(
      `it names no measurement, and ${NAMESPACE} asks for ${ONE} or ${TWO}`
    )
    const many = Array.from({ length: 9 }, (_, index) => String(index).repeat(64))
    expect(detail({ attestations: { measurements: many } }, { attestationMeasurementHash: 'a'.repeat(64) })).toMatch(
      /but one of 0{64} or 1{64} or 2{64} or 3{64} and 5 more$/
    )
    expect(detail({}, { owner: 'org-self' })).toBe(
      'crossOrg.allow has no rule {from: org-ada, to: org-self, operations: [timestamp]}'
    )
  })
})

describe('the effect of an attestation under the policy', () => {
  test('goes by the tenant of its key alone', () => {
    const { namespace, signer, kid } = facts
    expect(attestationEffect({ namespace, signer, kid }, viewOf({ attestations: { required: true } }))).toBeNull()
    const view = viewOf({ tenants: { [ada.orgId]: 'other' } })
    expect(attestationEffect({ namespace, signer, kid }, view)?.code).toBe('MAPPING_VIOLATION')
  })
})

describe('what organisations may do to each other', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const orAny = fc.constantFrom('*', 'a', 'b', 'c')
  const operation = fc.constantFrom('timestamp', 'bundle', 'pack-pull')
  const rule = fc.record({
    from: orAny,
    to: orAny,
    operations: fc.subarray(['*', 'timestamp', 'bundle', 'pack-pull'], { minLength: 1 })
  })

  test('nothing without a rule, and everything within one organisation', () => {
    fc.assert(
      fc.property(name, name, operation, (from, to, asked) => {
        expect(checkCrossOrgPolicy({ crossOrg: [] }, { from, to, operation: asked }).ok).toBe(from === to)
      })
    )
  })

  test('a rule more never takes anything away, and their order means nothing', () => {
    fc.assert(
      fc.property(fc.array(rule), rule, fc.record({ from: name, to: name, operation }), (rules, more, asked) => {
        const before = checkCrossOrgPolicy({ crossOrg: rules }, asked).ok
        const after = checkCrossOrgPolicy({ crossOrg: [more, ...rules] }, asked).ok
        expect(after || !before).toBe(true)
        expect(checkCrossOrgPolicy({ crossOrg: rules.toReversed() }, asked).ok).toBe(before)
      })
    )
  })

  test('rules that mean the same among the members give the same policy digest', () => {
    const digest = (crossOrg: PolicyOptions['crossOrg'] & object): string =>
      viewOf({ crossOrg }).policyDigest(NAMESPACE)
    const pairs = [
      { from: ada.orgId, to: self.orgId, operations: ['timestamp'] },
      { from: self.orgId, to: ada.orgId, operations: ['timestamp', 'bundle'] }
    ]
    expect(digest([{ from: '*', to: '*', operations: ['*'] }])).toBe(digest(pairs))
    expect(digest(pairs)).not.toBe(digest(pairs.slice(1)))
  })
})
