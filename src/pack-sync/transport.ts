import type { PackErrorCode, PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import type { PackRequest } from '../../protocols/pack-sync/v1/request.ts'

/** What came of a request: the bytes of a page, which nobody has looked at yet, or why there are none. */
export type PullAnswer = { readonly ok: true; readonly page: Uint8Array } | PackRefusal

/** What came of an event that was pushed. */
export type PushAnswer = { readonly ok: true; readonly outcome: PushOutcome } | PackRefusal

/**
 * `unreachable`: nobody answered, or not in time; asked again, it may well be answered. `refused`: the source said why.
 * `broken`: what answered does not speak this protocol.
 */
export type PackRefusal =
  | { readonly ok: false; readonly reason: 'unreachable' | 'broken'; readonly detail: string }
  | { readonly ok: false; readonly reason: 'refused'; readonly code: PackErrorCode; readonly detail: string }

/** A source of packs, as a port. What it gives is judged by who asked, whatever it is. */
export interface PackTransport {
  /** As people know it; holds no secrets. */
  readonly name: string
  /** Rejects only when `signal` aborts. */
  pull(request: PackRequest, signal: AbortSignal): Promise<PullAnswer>
  /** Gives one event. Rejects only when `signal` aborts. */
  push(wire: Uint8Array, signal: AbortSignal): Promise<PushAnswer>
  /** What it gave was none that an honest source gives; where there is a way to have it pay, it does. */
  penalise?(): void
}
