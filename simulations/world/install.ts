import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { performance } from 'node:perf_hooks'
import timers from 'node:timers'
import timerPromises from 'node:timers/promises'
import { seededCrypto } from './seeded-crypto.ts'
import { virtualAbortTimeout, virtualDate, virtualTimerPromises, virtualTimers } from './timers.ts'
import { currentRandom, world } from './world.ts'

/**
 * Replaces every clock, timer and source of randomness of this process, and forbids what completes in an order that no
 * seed rules. Loaded before everything else (`node --import`), because libraries keep what they find when they are
 * loaded.
 */
const { time } = world
const global = globalThis as unknown as Record<string, unknown>

const replaced = virtualTimers(time)
Object.assign(global, replaced)
Object.assign(timers, replaced)
Object.assign(timerPromises, virtualTimerPromises(time))
AbortSignal.timeout = virtualAbortTimeout(time)
global['Date'] = virtualDate(time, Date)
const monotonicMs = (): number => time.monotonicMs()
const nanoseconds = (): bigint => BigInt(Math.round(time.monotonicMs() * 1_000)) * 1_000n
Object.defineProperty(performance, 'now', { value: monotonicMs })
Object.defineProperty(performance, 'timeOrigin', { value: 0 })
process.hrtime = Object.assign(
  (since: readonly [number, number] = [0, 0]): [number, number] => {
    const passed = nanoseconds() - (BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]))
    return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)]
  },
  { bigint: nanoseconds }
)
process.uptime = () => time.monotonicMs() / 1_000
Math.random = () => currentRandom().fraction()
Object.assign(crypto, seededCrypto(currentRandom))
for (const [name, value] of Object.entries(seededCrypto(currentRandom).web))
  Object.defineProperty(globalThis.crypto, name, { value })

syncBuiltinESMExports()
