import fc from 'fast-check'
import { expect } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { SessionLimits } from '../../src/sync/limits.ts'
import { exchange } from './exchange.ts'
import { forest, holding } from './model-node.ts'
import type { ForestShape } from './model-node.ts'

/** The smallest of everything that still is the protocol. */
const LEAST: SessionLimits = {
  frameBytes: 4_200,
  sketchChains: 0,
  chainsInFrame: 1,
  chainsFrames: 64,
  tipsNamed: 1,
  samples: 16,
  rounds: 32,
  lookups: 131_072
}

/** A chain of 5,000 forks whose tips go 190 to a frame: 27 of those with the lowest tags, drawn anew each time. */
const SESSIONS_MAX = 200

const shapes: fc.Arbitrary<ForestShape> = fc.record({
  seed: fc.nat(),
  chains: fc.integer({ min: 1, max: 200 }),
  events: fc.oneof(fc.nat(50), fc.nat(2_000), fc.nat(10_000)),
  forks: fc.constantFrom(0, 0, 0.001, 0.05, 0.5),
  roots: fc.constantFrom(0, 0, 0.01)
})

const share = fc.constantFrom(0, 0.001, 0.01, 0.2, 0.7, 1)

const limits: fc.Arbitrary<Partial<SessionLimits>> = fc.oneof(
  fc.constant({}),
  fc.record({
    frameBytes: fc.integer({ min: LEAST.frameBytes, max: 65_536 }),
    sketchChains: fc.constantFrom(0, 4_096),
    chainsInFrame: fc.integer({ min: 1, max: 1_024 }),
    samples: fc.integer({ min: 16, max: 2_048 })
  })
)

/** Two sides with any lag on either hold the union after one session, and nothing was sent that was held. */
export async function checkSessions(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(shapes, share, share, limits, limits, async (shape, ofLeft, ofRight, initiator, responder) => {
      const all = forest(shape)
      const [left, right] = [holding(all, ofLeft, shape.seed + 1), holding(all, ofRight, shape.seed + 2)]
      const union = [...new Set([...left.ids, ...right.ids])].sort()
      const wereEqual = toHex(left.root) === toHex(right.root)
      const first = await exchange(left, right, { initiator, responder })
      expect(first.isEqual).toBe(wereEqual)
      // Only where tips had to be left unnamed, a chain having more of them than a frame holds, is there a rest.
      if (first.left === 0) expect(first.wasted).toBe(0)
      for (let sessions = 1, { left: rest } = first; rest > 0; sessions += 1) {
        expect(sessions).toBeLessThan(SESSIONS_MAX)
        rest = (await exchange(left, right, { initiator, responder, salt: sessions })).left
      }
      expect(left.ids).toEqual(union)
      expect(right.ids).toEqual(union)
      expect((await exchange(left, right)).isEqual).toBe(true)
    }),
    { numRuns }
  )
}
