import type { TlsIdentity } from '../http/tls.ts'

/** What the listeners of a running node show of themselves: a reload may put another certificate in its place. */
export class LiveTransport {
  #identity: TlsIdentity | null
  readonly #followers: ((identity: TlsIdentity) => void)[] = []

  constructor(identity: TlsIdentity | null) {
    this.#identity = identity
  }

  /** What is shown now; `null` without TLS. */
  get identity(): TlsIdentity | null {
    return this.#identity
  }

  /** Calls this with each identity that comes after the one of the start. */
  follow(renew: (identity: TlsIdentity) => void): void {
    this.#followers.push(renew)
  }

  /** Whether TLS is spoken was decided at the start, so a first or last certificate waits for the next one. */
  replace(identity: TlsIdentity | null): void {
    const before = this.#identity
    if (identity === null || before === null) return
    if (identity.cert === before.cert && identity.key === before.key) return
    this.#identity = identity
    for (const renew of this.#followers) renew(identity)
  }
}
