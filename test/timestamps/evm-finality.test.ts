import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FinalityRule } from '../../src/policy/config-schema.ts'
import { finalityAt } from '../../src/timestamps/evm/finality.ts'
import type { SeenBlock } from '../../src/timestamps/evm/finality.ts'

const BLOCK = 1_000
const block = { hash: 'ab'.repeat(32), number: BLOCK, timestamp: 0, holdsTransaction: true }

const seenWith = (
  headNumber: number,
  taggedNumber: number | null = null,
  finalizedNumber = taggedNumber
): SeenBlock => ({
  provider: 'a',
  headNumber,
  taggedNumber,
  finalizedNumber,
  block,
  transaction: null
})

const isFinal = (rule: FinalityRule, seen: readonly SeenBlock[], k: number): boolean =>
  finalityAt(BLOCK, rule, seen, k).final

describe('finality by k providers', () => {
  const heads = fc.array(fc.integer({ min: BLOCK, max: BLOCK + 20 }), { minLength: 1, maxLength: 6 })

  it('is there exactly when k of them find the block as deep as the rule asks', () => {
    fc.assert(
      fc.property(heads, fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 6 }), (numbers, depth, k) => {
        const deepEnough = numbers.filter((head) => head - BLOCK >= depth).length
        expect(
          isFinal(
            { depth },
            numbers.map((head) => seenWith(head)),
            k
          )
        ).toBe(deepEnough >= k)
      })
    )
  })

  it('is there exactly when k of them have a block under the tag that is not below', () => {
    const tags = fc.array(fc.option(fc.integer({ min: BLOCK - 5, max: BLOCK + 5 })), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(tags, fc.integer({ min: 1, max: 6 }), (numbers, k) => {
        const seen = numbers.map((number) => seenWith(BLOCK + 10, number))
        const under = numbers.filter((number) => number !== null && number >= BLOCK).length
        expect(isFinal({ tag: 'safe' }, seen, k)).toBe(under >= k)
      })
    )
  })

  it('needs more than there is while it is not there, and says when to ask again', () => {
    const rules = fc.oneof(
      fc.record({ depth: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ tag: fc.constantFrom('safe', 'finalized', 'latest') })
    )
    fc.assert(
      fc.property(heads, rules, fc.option(fc.integer({ min: BLOCK - 9, max: BLOCK + 9 })), (numbers, rule, tagged) => {
        const finality = finalityAt(
          BLOCK,
          rule,
          numbers.map((head) => seenWith(head, tagged)),
          1
        )
        if (finality.final) return
        expect(finality.needed).toBeGreaterThan(finality.depth)
        expect(finality.retryAfterMs).toBeGreaterThanOrEqual(1_000)
        expect(finality.retryAfterMs).toBeLessThanOrEqual(60_000)
      })
    )
    expect(isFinal({ depth: 0 }, [], 1)).toBe(false)
    expect(isFinal({ tag: 'latest' }, [], 1)).toBe(false)
  })

  it('is for ever under `finalized`, or deeper than any reorganisation', () => {
    const buried = (seen: readonly SeenBlock[], k: number): unknown => finalityAt(BLOCK, { depth: 1 }, seen, k)
    expect(buried([seenWith(BLOCK + 1, null, BLOCK)], 1)).toMatchObject({ buried: true })
    expect(buried([seenWith(BLOCK + 1, null, BLOCK - 1)], 1)).toMatchObject({ buried: false })
    expect(buried([seenWith(BLOCK + 1, null, BLOCK), seenWith(BLOCK + 1, null, BLOCK - 1)], 2)).toMatchObject({
      buried: false
    })
    expect(buried([seenWith(BLOCK + 8_191)], 1)).toMatchObject({ buried: false })
    expect(buried([seenWith(BLOCK + 8_192)], 1)).toMatchObject({ buried: true })
  })
})
