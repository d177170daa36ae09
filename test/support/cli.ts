import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

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

/** Runs a command to its end. */
export async function run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  return await launch(args, options).ended
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
