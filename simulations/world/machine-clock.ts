const US_PER_MS = 1_000
const MILLION = 1_000_000

/** How the clock of a machine differs from true time. */
export interface ClockError {
  /** What it shows beside true time, in milliseconds. */
  readonly skewMs: number
  /** How much faster it runs, in millionths. */
  readonly driftPpm: number
}

const TRUE_CLOCK: ClockError = { skewMs: 0, driftPpm: 0 }

/** The clock of one machine; it goes on when what runs there ends. Times of truth are microseconds since 1970. */
export class MachineClock {
  /** With which it was made. */
  readonly ownError: ClockError
  #error: ClockError
  /** When it was set. */
  #setUs: number
  /** How far it had run ahead by then, over all the time before. */
  #aheadMs = 0

  constructor(setUs: number, error: ClockError = TRUE_CLOCK) {
    this.#setUs = setUs
    this.ownError = error
    this.#error = error
  }

  /** How much faster than true time it runs now: 1 is as fast. */
  get rate(): number {
    return 1 + this.#error.driftPpm / MILLION
  }

  /** From now on it shows true time and the skew, and drifts away from there. */
  set(nowUs: number, error: ClockError): void {
    this.#aheadMs += this.#driftedMs(nowUs)
    this.#setUs = nowUs
    this.#error = error
  }

  /** What it shows: milliseconds since 1970, with fractions. */
  wallMs(nowUs: number): number {
    return nowUs / US_PER_MS + this.#error.skewMs + this.#driftedMs(nowUs)
  }

  /** What measures durations: it runs as fast, and never jumps when the clock is set. */
  monotonicMs(nowUs: number): number {
    return nowUs / US_PER_MS + this.#aheadMs + this.#driftedMs(nowUs)
  }

  #driftedMs(nowUs: number): number {
    return ((nowUs - this.#setUs) / US_PER_MS / MILLION) * this.#error.driftPpm
  }
}
