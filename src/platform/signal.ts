/** A moment that others may wait for; nobody does in the common case, so the promise is made only when asked for. */
export class Signal {
  #given = false
  #waiting: PromiseWithResolvers<void> | null = null

  give(): void {
    this.#given = true
    this.#waiting?.resolve()
  }

  async given(): Promise<void> {
    if (this.#given) return
    this.#waiting ??= Promise.withResolvers()
    await this.#waiting.promise
  }
}
