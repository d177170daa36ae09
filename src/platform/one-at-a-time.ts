/**
 * Work of which only one run may be under way: who asks for it meanwhile has it run once more afterwards, however many
 * ask. A run that failed is told of, and does not run again by itself.
 */
export class OneAtATime {
  readonly #work: () => Promise<void>
  readonly #failed: (error: unknown) => void
  #isRunning = false
  #isAskedAgain = false

  constructor(work: () => Promise<void>, failed: (error: unknown) => void) {
    this.#work = work
    this.#failed = failed
  }

  /** Resolves once the work is done, or at once where a run is under way. Never rejects. */
  async run(): Promise<void> {
    this.#isAskedAgain = this.#isRunning
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      do {
        this.#isAskedAgain = false
        await this.#work()
      } while (this.#isAskedAgain)
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#isRunning = false
    }
  }
}
