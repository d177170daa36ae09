import type { ReportStep } from '../../protocols/drill-report/v1/report.ts'
import { DETAIL_CHARS_MAX } from '../../protocols/drill-report/v1/report-shape.ts'
import type { Clock } from '../platform/clock.ts'
import type { Secrets } from './secrets.ts'

/** How one step went, and what it gave to those after it. */
export type StepResult<Value> = {
  readonly code?: string | null
  readonly status?: number | null
  readonly detail?: string
} & ({ readonly passed: true; readonly value: Value } | { readonly passed: false })

const CODE_PATTERN = /^[A-Z][A-Z0-9_]{0,63}$/

/** The steps of one drill as they are gone through. What targets say is cleaned of secrets and cut before it is kept. */
export class StepBook {
  readonly #steps: ReportStep[] = []
  readonly #clock: Clock
  readonly #secrets: Secrets

  constructor(clock: Clock, secrets: Secrets) {
    this.#clock = clock
    this.#secrets = secrets
  }

  get steps(): readonly ReportStep[] {
    return this.#steps
  }

  /** Whether a step has passed. */
  hasPassed(name: string): boolean {
    return this.#steps.some((step) => step.name === name && step.outcome === 'passed')
  }

  /**
   * Goes through one step, which `needs` the values of those before it: where one of them is null it is skipped. Answers
   * the step's value; null unless it passed. Rejects as `work` does.
   */
  async take<Needs extends readonly unknown[], Value>(
    name: string,
    needs: readonly [...Needs],
    work: (...needs: { [Index in keyof Needs]: NonNullable<Needs[Index]> }) => Promise<StepResult<Value>>
  ): Promise<Value | null> {
    if (needs.some((need) => need === null || need === undefined)) {
      const detail = 'something before it failed'
      this.#steps.push({ name, outcome: 'skipped', code: null, status: null, duration_ms: 0, detail })
      return null
    }
    const beganMs = this.#clock.monotonicMs()
    const result = await work(...(needs as unknown as { [Index in keyof Needs]: NonNullable<Needs[Index]> }))
    const { passed, code = null, status = null, detail = '' } = result
    this.#steps.push({
      name,
      outcome: passed ? 'passed' : 'failed',
      // A code of another form is none of a node; it may be anything.
      code: code !== null && CODE_PATTERN.test(code) && !this.#secrets.areIn(code) ? code : null,
      status: status !== null && status >= 100 && status <= 599 ? status : null,
      duration_ms: Math.max(0, Math.round(this.#clock.monotonicMs() - beganMs)),
      detail: shownText(this.#secrets.clean(detail))
    })
    return result.passed ? result.value : null
  }
}

/** Foreign words on one line, without control characters, cut. */
function shownText(text: string): string {
  return text.replaceAll(/\p{C}/gu, ' ').slice(0, DETAIL_CHARS_MAX).toWellFormed()
}
