import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Readable, Writable } from 'node:stream'
import { messageOf } from '../../platform/errors.ts'

/** A local EVM chain. FOR DEVELOPMENT: whoever reaches its port owns it. */
export interface EvmChain extends AsyncDisposable {
  readonly url: string
  /** `eip155:<chain id>`. */
  readonly chainId: string
  /** Accounts that have 10,000 ether each: private keys as 64 hex digits. */
  readonly privateKeys: readonly string[]
  /** Ends it; resolves when its process is gone. */
  stop(): Promise<void>
}

export interface EvmChainOptions {
  /** The number of EIP-155. */
  readonly chainNumber?: number
  /** A block is under `safe` when this many stand on it, and under `finalized` when twice as many do. */
  readonly slotsInAnEpoch?: number
  /** Further arguments of anvil, such as `--block-time 1`. */
  readonly args?: readonly string[]
}

/** What anvil is for development networks. */
const CHAIN_NUMBER = 31_337
/** How package names spell what Node calls otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
/** Its last words, for the error that says why it did not start. */
const OUTPUT_CHARS_KEPT = 4_096

/**
 * Runs the command that it is given for as long as its standard input is open: the end of the process that started it, by
 * whatever signal, ends the command too.
 */
const KEEPER = `
const [, command, ...args] = process.argv
const child = require('node:child_process').spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
process.stdin.resume().on('close', () => child.kill('SIGKILL'))
process.on('SIGTERM', () => child.kill('SIGKILL'))
process.on('SIGINT', () => {})
child.on('error', (error) => { console.error(error.message); process.exit(1) })
child.on('exit', (code) => process.exit(code ?? 1))
`

/** The anvil of the optional package `@foundry-rs/anvil`; `null` where it is not installed. */
export function findAnvil(): string | null {
  const platform = `@foundry-rs/anvil-${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`
  const binary = process.platform === 'win32' ? 'anvil.exe' : 'anvil'
  try {
    const launcher = createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')
    const path = createRequire(launcher).resolve(`${platform}/bin/${binary}`)
    return existsSync(path) ? path : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/**
 * Starts anvil on a free port of the loopback interface, by default with one slot in an epoch. The process does not
 * outlive this one. Throws where it does not start.
 */
export async function startEvmChain(anvil: string, options: EvmChainOptions = {}): Promise<EvmChain> {
  const chainNumber = options.chainNumber ?? CHAIN_NUMBER
  const given = { '--port': 0, '--chain-id': chainNumber, '--slots-in-an-epoch': options.slotsInAnEpoch ?? 1 }
  const args = [...Object.entries(given).flatMap(([name, value]) => [name, String(value)]), ...(options.args ?? [])]
  const child = spawn(process.execPath, ['-e', KEEPER, anvil, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  child.once('close', () => resolve())
  const stop = async (): Promise<void> => {
    child.stdin.destroy()
    await ended
  }
  const { port, privateKeys } = await readyAnvil(child)
  const url = `http://127.0.0.1:${port}`
  return { url, chainId: `eip155:${chainNumber}`, privateKeys, stop, [Symbol.asyncDispose]: stop }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>
interface Ready {
  readonly port: string
  readonly privateKeys: readonly string[]
}

/** Reads what anvil prints at its start: its keys, and at the end where it listens. */
function readyAnvil(child: Child): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>()
  let output = ''
  let errors = ''
  const fail = (reason: string): void => reject(new Error(`anvil did not start: ${reason}`))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-OUTPUT_CHARS_KEPT)
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    // What comes after it listens is only thrown away.
    output = (output + text).slice(-4 * OUTPUT_CHARS_KEPT)
    const port = /^Listening on 127\.0\.0\.1:(\d+)/m.exec(output)?.[1]
    const privateKeys = [...output.matchAll(/^\(\d+\) 0x([0-9a-f]{64})$/gm)].map(([, key]) => key ?? '')
    if (port !== undefined) resolve({ port, privateKeys })
  })
  child.once('error', (error) => fail(messageOf(error)))
  child.once('close', () => fail(errors.trim()))
  // Written to by nobody; ends with the process.
  child.stdin.once('error', (error) => fail(messageOf(error)))
  return promise
}
