/** A way to one collector. */
export interface SyslogTransport {
  /** `HOST:PORT`. */
  readonly collector: string
  /** The name of this machine, for the messages. */
  readonly hostname: string
  /** Opens a connection that is protected, to the collector itself. Rejects with the reason why not. */
  connect(signal: AbortSignal): Promise<SyslogConnection>
}

/** A connection to a collector. Each function rejects when it was lost, or does not get on in time. */
export interface SyslogConnection {
  /** Resolves when the bytes were taken and there is room for more. */
  write(bytes: Uint8Array): Promise<void>
  /** Closes the connection, and resolves when the collector has read all that was written (AU-17). */
  finish(): Promise<void>
  /** Gives the connection up at once. */
  abort(): void
}
