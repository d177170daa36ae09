import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterEach } from 'vitest'
import { runCommandLine } from '../../src/cli/command-line.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'

/** The file that a person's `anchormesh` runs. */
const COMMAND_FILE = join(import.meta.dirname, '..', '..', 'src', 'cli', 'anchormesh.cjs')

/** How a command ended, and all that it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that is still running. */
export interface Running {
  readonly process: ChildProcess
  /** What it has written so far. */
  stdout(): string
  stderr(): string
  readonly ended: Promise<Ended>
}

export interface CliOptions {
  /** Standard input; by default there is none. */
  readonly input?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Leaves standard input open. */
  readonly keepInput?: boolean
}

const running = new Set<Running>()
const folders: string[] = []

/** Starts the real command line in a process of its own; ended with the test at the latest. */
export function launch(args: readonly string[], options: CliOptions = {}): Running {
  const child = spawn(process.execPath, [COMMAND_FILE, ...args], {
    env: { ...cleanEnvironment(), ...options.environment }
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  if (options.keepInput !== true) child.stdin.end(options.input ?? '')
  const { promise, resolve } = Promise.withResolvers<Ended>()
  child.once('close', (code, signal) => {
    running.delete(started)
    resolve({ code, signal, stdout, stderr })
  })
  const started: Running = { process: child, stdout: () => stdout, stderr: () => stderr, ended: promise }
  running.add(started)
  return started
}

/** Verbs that log to the standard error of their process, listen to its signals, or start further ones. */
const NEED_A_PROCESS: ReadonlySet<string | undefined> = new Set(['start', 'demo', 'signer'])

/**
 * Runs a command to its end: by the program itself, but in this process wherever that makes no difference, because most
 * of what a process of its own takes is loading the same modules once more. `launch` starts a real one.
 */
export async function run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  if (NEED_A_PROCESS.has(args[0]) && !args.includes('--help')) return await launch(args, options).ended
  const stdout = textSink()
  const stderr = textSink()
  const interruption = new AbortController()
  const code = await runCommandLine(args, {
    stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    environment: { ...cleanEnvironment(), ...options.environment },
    interruption: { signal: interruption.signal, interrupt: (reason) => interruption.abort(reason) },
    clock: systemClock,
    random: systemRandom
  })
  return { code, signal: null, stdout: stdout.text(), stderr: stderr.text() }
}

/** A stream that keeps what is written to it. */
function textSink(): { readonly stream: Writable; text(): string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk)
      done()
    }
  })
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') }
}

/** Runs a command that has to succeed. */
export async function runWell(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await run(args, options)
  if (code !== 0) throw new Error(`anchormesh ${args.join(' ')} ended with ${code ?? signal}: ${stderr}${stdout}`)
  return stdout
}

/** Runs a command that has to succeed, and reads its one JSON answer. */
export async function runJson<Answer>(args: readonly string[], options: CliOptions = {}): Promise<Answer> {
  return JSON.parse(await runWell([...args, '--json'], options)) as Answer
}

/** Runs a command that has to succeed, and reads its JSON answer of one object a line. */
export async function runJsonLines<Row>(args: readonly string[], options: CliOptions = {}): Promise<Row[]> {
  const text = await runWell([...args, '--json'], options)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row)
}

/** Runs a command that has to fail, and reads the error object and the exit code. */
export async function runFailing(args: readonly string[], options: CliOptions = {}): Promise<FailedCommand> {
  const { code, stdout, stderr } = await run([...args, '--json'], options)
  const last = stderr.trim().split('\n').at(-1) ?? ''
  if (!last.startsWith('{"error"'))
    throw new Error(`anchormesh ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
  return { exitCode: code, stdout, ...(JSON.parse(last) as { error: FailedCommand['error'] }) }
}

export interface FailedCommand {
  readonly exitCode: number | null
  readonly stdout: string
  readonly error: { readonly code: string; readonly message: string; readonly hint: string; readonly detail?: unknown }
}

/** A new folder for this test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
  folders.push(folder)
  return folder
}

afterEach(async () => {
  const left = [...running]
  for (const { process: child } of left) child.kill('SIGKILL')
  await Promise.all(left.map(({ ended }) => ended))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** What a person has set for a node of theirs must not reach the nodes of the tests. */
function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ANCHORMESH_')))
}
