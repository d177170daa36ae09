import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RunJob } from './jobs.ts'
import type { RunMessage } from './messages.ts'
import { allocatorSettings, v8Flags } from './process-memory.ts'

/** How a run ended. */
export type RunEnd = Exclude<RunMessage, { readonly kind: 'progress' }>
export type RunProgress = Extract<RunMessage, { readonly kind: 'progress' }>

export interface SpawnOptions {
  /** Ends the run; what it has written is not whole then. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: RunProgress) => void
  /** The folder of the program that makes the run: this one, or a copy of it. */
  readonly root?: string
}

// The source as it stands, or what was built of it.
const EXTENSION = import.meta.filename.endsWith('.ts') ? '.ts' : '.js'
const ROOT = join(import.meta.dirname, '..', '..')
/** What a process that broke wrote last says why. */
const STDERR_CHARS_MAX = 4_000

/** Runs a job in a process of its own, as one run needs it. Rejects with the signal's reason where that aborts. */
export async function spawnRun(job: RunJob, options: SpawnOptions = {}): Promise<RunEnd> {
  const { signal, onProgress = () => {}, root = ROOT } = options
  signal?.throwIfAborted()
  const { nodes } = job.scenario
  const install = pathToFileURL(join(root, 'simulations', 'world', `install${EXTENSION}`)).href
  const child = fork(join(root, 'simulations', 'run', `main${EXTENSION}`), [], {
    execArgv: [...v8Flags(nodes), '--import', install],
    stdio: ['ignore', 2, 'pipe', 'ipc'],
    env: { ...process.env, ...allocatorSettings(nodes), NODE_COMPILE_CACHE: compiledFolder() }
  })
  const stop = (): void => void child.kill('SIGKILL')
  signal?.addEventListener('abort', stop, { once: true })
  let end: RunEnd | null = null
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_CHARS_MAX)
  })
  child.on('message', (message) => {
    const told = message as RunMessage
    if (told.kind === 'progress') onProgress(told)
    else end = told
  })
  try {
    const exit = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, name) => resolve(name ?? String(code)))
      child.send(job, (error) => {
        // Where the process has ended before it took the job, `close` says so.
        if (error !== null && child.connected) reject(error)
      })
    })
    signal?.throwIfAborted()
    return end ?? { kind: 'broken', detail: `the process of the run ended with ${exit}: ${said.trim()}` }
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

let compiled: string | undefined

/**
 * Where the runs keep their modules compiled, which is a third of what a short one costs. It goes with this process,
 * unless somebody has named one that stays.
 */
function compiledFolder(): string {
  const { NODE_COMPILE_CACHE: named } = process.env
  if (named !== undefined && named !== '') return named
  if (compiled === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'anchormesh-compiled-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    compiled = folder
  }
  return compiled
}
