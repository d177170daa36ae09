import type { SeededRandom } from '../ports/seeded-random.ts'
import type { Cancel, VirtualTime } from '../world/virtual-time.ts'
import type { LinkQuality } from './link-quality.ts'

/** How what was sent comes over a link; times are microseconds since 1970. */
export interface Passage {
  readonly sentUs: number
  /** Without the wait for those before it. */
  readonly latencyUs: number
  readonly arrivesUs: number
  /** How much later it arrives because others overtake it. */
  readonly heldUpUs: number
  /** When it arrives a second time. */
  readonly againUs: number | null
}

// What TCP waits at the least before it sends again (RFC 6298 asks for a second, systems take 200 ms), and at the most.
const RESEND_MIN_MS = 200
const RESEND_MAX_MS = 60_000
const RESENDS_MAX = 6

/**
 * One direction between two hosts, which all connections between them share. Cut, it lets nothing through, and what is
 * under way is sent again after it is whole.
 */
export class Link {
  readonly from: string
  readonly to: string
  /** May change at any time; what is under way is not concerned. */
  quality: LinkQuality
  readonly #time: VirtualTime
  readonly #random: SeededRandom
  readonly #waiting = new Set<{ readonly resume: (delayUs: number) => void }>()
  #freeAtUs = 0
  #cuts = 0
  #cutAtUs = 0

  constructor(ends: { from: string; to: string }, quality: LinkQuality, time: VirtualTime, random: SeededRandom) {
    this.from = ends.from
    this.to = ends.to
    this.quality = quality
    this.#time = time
    this.#random = random
  }

  get isCut(): boolean {
    return this.#cuts > 0
  }

  /** Cut more than once, it is whole when it was healed as often. */
  cut(): void {
    if (this.#cuts === 0) this.#cutAtUs = this.#time.nowUs
    this.#cuts += 1
  }

  heal(): void {
    if (this.#cuts === 0) return
    this.#cuts -= 1
    if (this.#cuts > 0) return
    const cutMs = (this.#time.nowUs - this.#cutAtUs) / 1_000
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    // The time between two tries doubles, so the next one comes within as long as the cut has lasted.
    for (const { resume } of waiting) resume(this.#random.fraction() * Math.min(cutMs, RESEND_MAX_MS) * 1_000)
  }

  /** Calls `resume` once the link is whole again, with how long it still takes until bytes are sent again. */
  whenHealed(resume: (delayUs: number) => void): Cancel {
    const waiter = { resume }
    this.#waiting.add(waiter)
    return () => void this.#waiting.delete(waiter)
  }

  /**
   * Sends so many bytes now. What one connection sends at one moment goes as one: it is as long under way as what went
   * `before` it.
   */
  carry(bytes: number, before: Passage | null = null): Passage {
    const { nowUs } = this.#time
    const { latencyMs, bytesPerSecond, lossRate, duplicateRate, reorderRate } = this.quality
    const isTwice = this.#happens(duplicateRate)
    const departUs = Math.max(nowUs, this.#freeAtUs) + ((isTwice ? 2 : 1) * bytes * 1_000_000) / bytesPerSecond
    this.#freeAtUs = departUs
    const drawnUs = (): number => latencyMs(this.#random) * 1_000
    const latencyUs = before?.sentUs === nowUs ? before.latencyUs : drawnUs() + this.#resendUs(lossRate)
    return {
      sentUs: nowUs,
      latencyUs,
      arrivesUs: Math.round(departUs + latencyUs),
      heldUpUs: this.#happens(reorderRate) ? Math.round(drawnUs()) : 0,
      againUs: isTwice ? Math.round(departUs + drawnUs()) : null
    }
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random.fraction() < rate
  }

  #resendUs(lossRate: number): number {
    let waitedMs = 0
    for (let tries = 0; tries < RESENDS_MAX && this.#happens(lossRate); tries += 1)
      waitedMs += RESEND_MIN_MS * 2 ** tries
    return waitedMs * 1_000
  }
}
