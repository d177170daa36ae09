import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'

test('the stream is what its documentation says, however it is drawn', () => {
  const block = (seed: string, counter: number): Buffer => {
    const position = Buffer.alloc(8)
    position.writeBigUInt64BE(BigInt(counter))
    return createHash('sha256').update(seed).update(position).digest()
  }
  fc.assert(
    fc.property(fc.string(), fc.array(fc.nat(70), { maxLength: 10 }), (seed, lengths) => {
      const random = seededRandom(seed)
      const drawn = Buffer.concat(lengths.map((length) => random.bytes(length)))
      const stream = Buffer.concat(Array.from({ length: 23 }, (_, counter) => block(seed, counter)))
      expect(drawn).toEqual(stream.subarray(0, drawn.length))
    }),
    { numRuns: 50 }
  )
})

test('fractions and integers stay in their range and spread over it', () => {
  const random = seededRandom('spread')
  const counts = Array.from({ length: 10 }, () => 0)
  for (let draw = 0; draw < 2_000; draw += 1) {
    const fraction = random.fraction()
    expect(fraction >= 0 && fraction < 1).toBe(true)
    const index = random.below(10)
    counts[index] = (counts[index] ?? 0) + 1
  }
  expect(counts).toHaveLength(10)
  expect(Math.min(...counts)).toBeGreaterThan(120)
})

test('the same seed gives the same draws; a fork draws by itself', () => {
  const one = seededRandom('7')
  const other = seededRandom('7')
  const fork = one.fork('node-a')
  fork.bytes(100)
  expect(one.bytes(16)).toEqual(other.bytes(16))
  expect(one.fraction()).toBe(other.fraction())
  expect(fork.seed).toBe('7/node-a')
  expect(seededRandom('7').fork('node-a').bytes(8)).toEqual(seededRandom('7/node-a').bytes(8))
  expect(seededRandom('7').bytes(8)).not.toEqual(seededRandom('8').bytes(8))
})
