import { EXIT } from '../platform/errors.ts'

/** Why a command ends before its work is done, and the exit code that says so. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string) {
    super(message)
    this.name = 'Interrupted'
    this.exitCode = exitCode
  }
}

/** An interruption that a command can wait for and can cause. */
export interface Interruption {
  /** Aborts once, with an `Interrupted` as its reason. */
  readonly signal: AbortSignal
  interrupt(reason: Interrupted): void
}

/** Has SIGHUP call `hangup` in the place of ending the process; what is returned puts it back. */
export function onHangup(hangup: () => void): () => void {
  process.on('SIGHUP', hangup)
  return () => void process.off('SIGHUP', hangup)
}

/**
 * Turns SIGINT and SIGTERM into an abort, so that work can end in order: stores are closed, files removed. A second
 * signal ends the process at once; nothing is lost by it, because what was acknowledged is synced.
 */
export function listenForSignals(): Interruption {
  const controller = new AbortController()
  const interrupt = (reason: Interrupted): void => controller.abort(reason)
  const onSignal = (name: 'SIGINT' | 'SIGTERM', exitCode: number): void => {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCode)
      interrupt(new Interrupted(exitCode, name))
    })
  }
  onSignal('SIGINT', EXIT.interrupted)
  onSignal('SIGTERM', EXIT.terminated)
  return { signal: controller.signal, interrupt }
}
