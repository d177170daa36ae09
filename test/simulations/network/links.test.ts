import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hostAddress } from '../../../simulations/network/addresses.ts'
import { drawOf } from '../../../simulations/network/latency.ts'
import { parseLinkMatrix } from '../../../simulations/network/link-matrix.ts'
import { SimulatedNet } from '../../../simulations/network/simulated-net.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { linkSchema } from '../../../simulations/scenario/schema.ts'
import type { LatencyRule, LinkRule } from '../../../simulations/scenario/schema.ts'
import { VirtualTime } from '../../../simulations/world/virtual-time.ts'

const rule = (from: Partial<LinkRule>): LinkRule => ({ ...linkSchema.parse({}), ...from })

function netOf(base: Partial<LinkRule> = {}): { net: SimulatedNet<string>; time: VirtualTime } {
  const time = new VirtualTime((done) => void setImmediate(done))
  const fixed = rule({ latency: { constantMs: 10 }, ...base })
  return { time, net: new SimulatedNet({ time, random: seededRandom('net'), rule: () => fixed }) }
}

const drawn = (latency: LatencyRule, count: number): number[] => {
  const random = seededRandom('draw')
  const draw = drawOf(latency)
  return Array.from({ length: count }, () => draw(random))
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('latencies', () => {
  const ms = fc.double({ min: 0, max: 1_000, noNaN: true })

  it('stay within their bounds', () => {
    fc.assert(
      fc.property(fc.tuple(ms, ms, ms), (corners) => {
        const rules: LatencyRule[] = [
          { uniformMs: [corners[0], corners[1]] },
          { triangularMs: corners },
          { quantilesMs: corners }
        ]
        for (const latency of rules) {
          const bounds = 'uniformMs' in latency ? latency.uniformMs : corners
          for (const value of drawn(latency, 20)) {
            expect(value).toBeGreaterThanOrEqual(Math.min(...bounds) - 1e-9)
            expect(value).toBeLessThanOrEqual(Math.max(...bounds) + 1e-9)
          }
        }
      })
    )
  })

  it('have the mean of their distribution', () => {
    expect(mean(drawn({ constantMs: 7 }, 3))).toBe(7)
    expect(mean(drawn({ uniformMs: [10, 30] }, 5_000))).toBeCloseTo(20, 0)
    expect(mean(drawn({ triangularMs: [10, 30, 120] }, 5_000)) / 53.3).toBeCloseTo(1, 1)
    // A quarter of them in each step.
    expect(mean(drawn({ quantilesMs: [0, 1, 2, 3, 100] }, 5_000)) / ((0.5 + 1.5 + 2.5 + 51.5) / 4)).toBeCloseTo(1, 1)
  })
})

describe('the matrix', () => {
  const [a, b, c] = [hostAddress(0), hostAddress(1), hostAddress(2)]

  it('says how single links are, in both directions unless there are two lines', () => {
    const base = rule({})
    const read = parseLinkMatrix('from,to,latency_ms,loss\n0,1,5,\n1,2,7,0.5\n2,1,9,\n', base, 3)
    if (!read.ok) throw new Error(read.problem)
    expect(read.value(a, b)).toEqual({ ...base, latency: { constantMs: 5 } })
    expect(read.value(b, a)).toEqual({ ...base, latency: { constantMs: 5 } })
    expect(read.value(b, c)).toEqual({ ...base, latency: { constantMs: 7 }, loss: 0.5 })
    expect(read.value(c, b)).toEqual({ ...base, latency: { constantMs: 9 } })
    expect(read.value(a, c)).toBe(base)
  })

  it('says the line that is wrong', () => {
    const wrong = (lines: string): unknown =>
      parseLinkMatrix(`from,to,latency_ms,bandwidth_mbps,loss\n${lines}`, rule({}), 3)
    expect(wrong('0,1,-5')).toMatchObject({
      ok: false,
      line: 2,
      problem: 'latency_ms is -5, but must be a number from 0, such as 20 or 1.5'
    })
    expect(wrong('0,1,5\n0,1,6')).toMatchObject({ ok: false, line: 3, problem: '0,1 has a line already' })
    expect(wrong('0,3,5')).toMatchObject({ ok: false, line: 2 })
    expect(wrong('0,1,5,0')).toMatchObject({ ok: false, line: 2, problem: 'bandwidth_mbps is 0' })
    expect(wrong('0,1,5,,2')).toMatchObject({ ok: false, line: 2, problem: 'loss is above 1' })
  })
})

describe('links', () => {
  it('take their bandwidth one send after the other', () => {
    const { net, time } = netOf({ bandwidthMbps: 8 })
    const link = net.link('a', 'b')
    const arrivals = [1_000, 1_000, 500].map((bytes) => link.carry(bytes).arrivesUs - time.nowUs)
    expect(arrivals).toEqual([11_000, 12_000, 12_500])
  })

  it('send again what they lose, which takes time', () => {
    const { net, time } = netOf({ loss: 0.3 })
    const link = net.link('a', 'b')
    const late = Array.from({ length: 1_000 }, () => link.carry(1).arrivesUs - time.nowUs > 200_000)
    expect(late.filter(Boolean).length / 1_000).toBeCloseTo(0.3, 1)
  })

  it('bring twice, and hold up, as many as the rule says', () => {
    const { net } = netOf({ duplicate: 0.2, reorder: 0.4 })
    const passages = Array.from({ length: 1_000 }, () => net.link('a', 'b').carry(1))
    expect(passages.filter(({ againUs }) => againUs !== null).length / 1_000).toBeCloseTo(0.2, 1)
    expect(passages.filter(({ heldUpUs }) => heldUpUs > 0).length / 1_000).toBeCloseTo(0.4, 1)
  })

  it('are cut one way, and whole only when each cut has healed; those that come later are cut too', () => {
    const { net } = netOf()
    const there = net.link('a', 'b')
    const healFirst = net.cut((from) => from === 'a')
    const healSecond = net.cut((from, to) => from === 'a' && to === 'b')
    expect([there.isCut, net.link('b', 'a').isCut, net.link('a', 'c').isCut]).toEqual([true, false, true])
    healFirst()
    healFirst()
    expect([there.isCut, net.link('a', 'c').isCut]).toEqual([true, false])
    healSecond()
    expect(there.isCut).toBe(false)
  })

  it('change while they are used, and back', () => {
    const { net, time } = netOf({ bandwidthMbps: 1e9 })
    const takesMs = (to: string): number => Math.round((net.link('a', to).carry(1).arrivesUs - time.nowUs) / 1_000)
    expect(takesMs('b')).toBe(10)
    const undoFirst = net.change((from) => from === 'a', { latency: { constantMs: 50 } })
    const undoSecond = net.change((_, to) => to === 'b', { latency: { constantMs: 70 } })
    expect([takesMs('b'), takesMs('c')]).toEqual([70, 50])
    undoFirst()
    expect([takesMs('b'), takesMs('c')]).toEqual([70, 10])
    undoSecond()
    expect(takesMs('b')).toBe(10)
  })
})
