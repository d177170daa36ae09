/** The form in which a subscriber gets its frames (protocols/subscription/v1). */
export type FrameForm = 'events' | 'messages'

/** The connection of one subscriber. Its bytes are shared with others: whoever takes them must not change them. */
export interface FrameSink {
  readonly form: FrameForm
  /** Takes bytes, whether the connection is fast enough or not. */
  write(bytes: Uint8Array): void
  /** Bytes that were taken and have not left this process. */
  readonly waitingBytes: number
  /** Resolves when nothing waits any more, or the connection is gone. */
  drained(): Promise<void>
  /** Closes the connection once it has what was written. */
  end(reason: { readonly retryable: boolean }): void
  /** Closes it at once. */
  destroy(): void
}
