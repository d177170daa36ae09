import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkCrossOrgPolicy } from '../../src/policy/cross-org.ts'

const rules = (...crossOrg: { from: string; to: string; operations: string[] }[]): { crossOrg: typeof crossOrg } => ({
  crossOrg
})

test('nothing is allowed by default, and everything within one organisation', () => {
  const ask = { from: 'a', to: 'b', operation: 'pack-pull' }
  expect(checkCrossOrgPolicy(rules(), ask)).toEqual({
    ok: false,
    code: 'CROSS_ORG_DENIED',
    detail: 'crossOrg.allow has no rule {from: a, to: b, operations: [pack-pull]}'
  })
  expect(checkCrossOrgPolicy(rules(), { ...ask, to: 'a' })).toEqual({ ok: true })
})

test('one rule that fits in all three allows it; * is any', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const some = fc.constantFrom('a', 'b', '*')
  const operation = fc.constantFrom('bundle', 'pack-pull')
  const rule = fc.record({
    from: some,
    to: some,
    operations: fc.array(fc.constantFrom('bundle', '*'), { minLength: 1 })
  })
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 3 }), name, name, operation, (crossOrg, from, to, asked) => {
      const fits = (pattern: string, value: string): boolean => pattern === '*' || pattern === value
      const expected =
        from === to ||
        crossOrg.some((one) => fits(one.from, from) && fits(one.to, to) && one.operations.some((of) => fits(of, asked)))
      expect(checkCrossOrgPolicy({ crossOrg }, { from, to, operation: asked }).ok).toBe(expected)
    })
  )
})

test('who is not known is any only where a rule says so', () => {
  const ask = { from: 'a', to: '*', operation: 'pack-push' }
  expect(checkCrossOrgPolicy(rules({ from: '*', to: 'b', operations: ['*'] }), ask).ok).toBe(false)
  expect(checkCrossOrgPolicy(rules({ from: '*', to: '*', operations: ['*'] }), ask).ok).toBe(true)
})
