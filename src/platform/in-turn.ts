/** Does work one after another, in the order in which it was asked for. */
export class InTurn {
  #end: Promise<void> = Promise.resolve()

  /** Settles as `work` does. What fails is the caller's to hear of; the next goes on all the same. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#end.then(work)
    const goOn = (): void => {}
    this.#end = result.then(goOn, goOn)
    return await result
  }

  /** Resolves when all that was asked for until now is done, well or not. */
  async idle(): Promise<void> {
    await this.#end
  }
}
