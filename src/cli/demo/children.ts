import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'

/** A node closes its stores in well under a second; one that has not by then is ended. */
const STOP_WITHIN_MS = 5_000

/** What a process writes to standard error is kept this far, for the moment that something goes wrong. */
const ERROR_CHARS_KEPT = 8_192

/** A process of the demo. */
export interface Child {
  readonly process: ChildProcess
  /** The end of what it wrote to standard error. */
  errorText(): string
  readonly ended: Promise<ChildEnd>
}

type ChildEnvironment = Readonly<Record<string, string | undefined>>

/** How a process ended: by its own exit code or by a signal. */
export interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** All processes that the demo starts, so that none outlives it. */
export interface Children {
  /** A process of this Node. Throws once `stopAll` was called. */
  spawn(args: readonly string[], environment: ChildEnvironment): Child
  /** Any other program, in the environment that this process has. Throws once `stopAll` was called. */
  run(file: string, args: readonly string[]): Child
  /** Asks every process that still runs to end, and ends those that don't; from now on none can be started. */
  stopAll(): Promise<void>
}

export function createChildren(clock: Clock): Children {
  const running = new Set<Child>()
  let stopping = false
  // The last resort, also when the demo itself is made to end at once.
  const killAll = (): void => {
    for (const { process: child } of running) child.kill('SIGKILL')
  }
  process.once('exit', killAll)
  const start = (file: string, args: readonly string[], environment: ChildEnvironment): Child => {
    if (stopping) throw new Error('the demo is ending')
    const child = startChild(file, args, environment)
    running.add(child)
    void child.ended.then(() => running.delete(child))
    return child
  }
  return {
    spawn: (args, environment) => start(process.execPath, args, environment),
    run: (file, args) => start(file, args, process.env),
    async stopAll() {
      stopping = true
      const ending = [...running].map((child) => stopChild(child, clock))
      await Promise.all(ending)
      process.off('exit', killAll)
    }
  }
}

/** Ends a process by SIGTERM, or by SIGKILL when it takes too long. */
export async function stopChild(child: Child, clock: Clock): Promise<void> {
  child.process.kill('SIGTERM')
  const cancel = clock.after(STOP_WITHIN_MS, () => child.process.kill('SIGKILL'))
  await child.ended
  cancel()
}

function startChild(file: string, args: readonly string[], environment: ChildEnvironment): Child {
  const child = spawn(file, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-ERROR_CHARS_KEPT)
  })
  child.stdout.setEncoding('utf8')
  const { promise: ended, resolve } = Promise.withResolvers<ChildEnd>()
  child.once('error', (error) => {
    errors = messageOf(error)
    resolve({ code: null, signal: null })
  })
  child.once('close', (code, signal) => resolve({ code, signal }))
  return { process: child, errorText: () => errors, ended }
}
