import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { SignedEvent } from '../support/events.ts'

/** A process that takes events in (`ingest.child.ts`), and what it said. */
export interface IngestProcess {
  readonly pid: number
  /** Whole lines so far. */
  lines(): readonly string[]
  /** Calls `watcher` with the number of lines whenever there are more. */
  onLines(watcher: (count: number) => void): void
  /** Ends it at once, as a loss of power ends a machine, and gives what it had said. */
  kill(): Promise<readonly string[]>
  readonly ended: Promise<void>
}

const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Writes events down for `startIngest`. */
export function writeEvents(path: string, events: readonly SignedEvent[]): void {
  writeFileSync(path, events.map(({ id, wire }) => `${id} ${Buffer.from(wire).toString('base64')}`).join('\n'))
}

/**
 * Starts it on a folder with the events of a file. With `fileKibMax` none of its files can grow beyond that: to the
 * process, a full disk.
 */
export function startIngest(
  folder: string,
  eventsPath: string,
  options: { readonly fileKibMax?: number } = {}
): IngestProcess {
  const args = [join(import.meta.dirname, 'ingest.child.ts'), folder, eventsPath]
  const limited = ['-c', `ulimit -S -f ${options.fileKibMax ?? 0} && exec "$@"`, 'sh', process.execPath, ...args]
  const child = options.fileKibMax === undefined ? spawn(process.execPath, args) : spawn('bash', limited)
  running.add(child)
  let text = ''
  let errors = ''
  let watch: (count: number) => void = () => {}
  const lines = (): readonly string[] => text.split('\n').slice(0, -1)
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
    watch(lines().length)
  })
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  child.once('close', (code, signal) => {
    running.delete(child)
    if (signal === 'SIGKILL') resolve()
    else reject(new Error(`the process ended with ${code ?? signal}: ${errors}`))
  })
  // Whoever waits for `ended` is told; an end that nobody waits for shows as a missing line.
  ended.catch(() => undefined)
  return {
    pid: child.pid ?? 0,
    lines,
    onLines: (watcher) => {
      watch = watcher
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
      return lines()
    },
    ended
  }
}
