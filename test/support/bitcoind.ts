import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe } from 'vitest'
import { freePort } from './free-port.ts'

const FETCHED = resolve(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'bitcoind', 'bitcoind')
/** Where the tests look for bitcoind; there is one in the tests of `describeBitcoind`. */
export const BITCOIND_PROGRAM = process.env['ANCHORMESH_BITCOIND'] ?? FETCHED

const START_ATTEMPTS = 5
const START_DEADLINE_MS = 60_000
const POLL_MS = 25
// Coins of a block can be spent 100 blocks later; one more makes one block's coins spendable.
const MATURITY_BLOCKS = 101
// So that several transactions can be made that don't need each other's change.
const SPENDABLE_BLOCKS = 8
const USER = 'tester'
const WALLET = 'anchors'

/**
 * Runs bitcoind until it ends by itself or the standard input closes, which the system does for a test process that is
 * killed as for one that ends.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ cat <&3 >/dev/null; kill -KILL $child; } &
wait $child
`

/**
 * Tests that need a real bitcoind: skipped, with one line that says how to get it, where there is none.
 */
export function describeBitcoind(name: string, tests: () => void): void {
  const present = existsSync(BITCOIND_PROGRAM)
  if (!present) {
    console.log(`skipped: no bitcoind for ${name} (test/tools/fetch-bitcoind node_modules/.cache/bitcoind gets it)`)
  }
  describe.skipIf(!present)(`bitcoind: ${name}`, () => {
    tests()
  })
}

/** A bitcoind of its own chain, on loopback, with a wallet that can pay. */
export interface Bitcoind {
  /** `http://127.0.0.1:PORT`, without credentials. */
  readonly url: string
  readonly user: string
  readonly password: string
  readonly cookieFile: string
  /** As `rails.btc.regtest.wallet` names it. */
  readonly walletAddress: string
  /** As `rails.btc.regtest.providers` names it. */
  readonly providerAddress: string
  /** What the node answers, or an error that quotes it. */
  rpc(method: string, ...params: readonly unknown[]): Promise<unknown>
  /** The same of the wallet. */
  wallet(method: string, ...params: readonly unknown[]): Promise<unknown>
  /** Mines to a new address, so that no block comes twice. Gives the hashes. */
  mine(blocks: number): Promise<readonly string[]>
  tip(): Promise<{ readonly hash: string; readonly height: number }>
  /**
   * Takes the block and all on top of it off the chain, and mines so many others instead that theirs is longer.
   */
  reorganise(blockHash: string): Promise<void>
  /** Takes the block that was reorganised away back, and what stood on it, in the place of what stands there now. */
  restore(blockHash: string): Promise<void>
  /**
   * Stops it in good order and starts it again over the same data; on the same port, unless somebody took that. `options` hold until the next restart.
   */
  restart(...options: readonly string[]): Promise<void>
  stop(): Promise<void>
}

interface Running {
  readonly child: ChildProcess
  readonly port: number
}

/** Starts a bitcoind over an empty folder, in regtest, that talks to nobody. Stop it in `afterAll`. */
export async function startBitcoind(): Promise<Bitcoind> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bitcoind-'))
  const password = randomBytes(16).toString('hex')
  let running = await start(folder, password)

  const call = async (path: string, method: string, params: readonly unknown[]): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${running.port}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 0, method, params })
    })
    const { result, error } = (await response.json()) as { result?: unknown; error?: unknown }
    if (error !== undefined && error !== null) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result
  }
  const rpc: Bitcoind['rpc'] = (method, ...params) => call('/', method, params)
  const wallet: Bitcoind['wallet'] = (method, ...params) => call(`/wallet/${WALLET}`, method, params)
  const addressOf = (path: string): string => `bitcoind+http://${USER}:${password}@127.0.0.1:${running.port}${path}`

  const bitcoind: Bitcoind = {
    get url() {
      return `http://127.0.0.1:${running.port}`
    },
    user: USER,
    password,
    cookieFile: join(folder, 'regtest', '.cookie'),
    get walletAddress() {
      return addressOf(`/wallet/${WALLET}`)
    },
    get providerAddress() {
      return addressOf('')
    },
    rpc,
    wallet,
    mine: async (blocks) => (await rpc('generatetoaddress', blocks, await wallet('getnewaddress'))) as string[],
    tip: async () => {
      const { bestblockhash, blocks } = (await rpc('getblockchaininfo')) as { bestblockhash: string; blocks: number }
      return { hash: bestblockhash, height: blocks }
    },
    reorganise: async (blockHash) => {
      const before = await bitcoind.tip()
      await rpc('invalidateblock', blockHash)
      const after = await bitcoind.tip()
      // Empty blocks, so that what stood in the old ones does not at once stand in the new ones too.
      const address = await wallet('getnewaddress')
      for (let blocks = before.height - after.height + 1; blocks > 0; blocks -= 1) {
        await rpc('generateblock', address, [])
      }
    },
    restore: async (blockHash) => {
      const { height } = (await rpc('getblockheader', blockHash)) as { height: number }
      const other = await rpc('getblockhash', height)
      await rpc('reconsiderblock', blockHash)
      await rpc('invalidateblock', other)
    },
    restart: async (...options) => {
      await rpc('stop')
      await ended(running.child)
      running = await start(folder, password, { port: running.port, options })
      await rpc('loadwallet', WALLET)
    },
    stop: async () => {
      running.child.stdin?.end()
      await ended(running.child)
      rmSync(folder, { recursive: true, force: true })
    }
  }
  await rpc('createwallet', WALLET)
  await bitcoind.mine(MATURITY_BLOCKS + SPENDABLE_BLOCKS - 1)
  return bitcoind
}

async function start(
  folder: string,
  password: string,
  preferred: { readonly port?: number; readonly options?: readonly string[] } = {}
): Promise<Running> {
  const { options = [] } = preferred
  for (let attempt = 1; ; attempt += 1) {
    // It takes no port 0 for RPC.
    const port = (attempt === 1 ? preferred.port : undefined) ?? (await freePort())
    const all = [...optionsOf(folder, port, password), ...options]
    const child = spawn('/bin/sh', ['-c', GUARD, 'sh', BITCOIND_PROGRAM, ...all], {
      stdio: ['pipe', 'ignore', 'ignore']
    })
    if (await isAnswering(child, port, password)) return { child, port }
    if (attempt === START_ATTEMPTS) throw new Error(`bitcoind did not start:\n${logOf(folder)}`)
  }
}

function optionsOf(folder: string, port: number, password: string): readonly string[] {
  const salt = randomBytes(16).toString('hex')
  const hash = createHmac('sha256', salt).update(password).digest('hex')
  return [
    '-regtest',
    `-datadir=${folder}`,
    '-connect=0',
    '-listen=0',
    '-dnsseed=0',
    '-fixedseeds=0',
    '-printtoconsole=0',
    '-server=1',
    // A thousand keys of each kind, as by default, are most of the work of a start.
    '-keypool=20',
    '-par=1',
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    `-rpcport=${port}`,
    `-rpcauth=${USER}:${salt}$${hash}`
  ]
}

/** False when it ended before it answered; another program on its port does not know the password. */
async function isAnswering(child: ChildProcess, port: number, password: string): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`
  const deadlineMs = performance.now() + START_DEADLINE_MS
  while (child.exitCode === null && performance.now() < deadlineMs) {
    const body = JSON.stringify({ id: 0, method: 'getblockchaininfo', params: [] })
    const options = { method: 'POST', headers: { authorization }, body }
    const answered = await fetch(`http://127.0.0.1:${port}/`, options).then(
      (response) => response.ok,
      () => false
    )
    if (answered) return true
    await delay(POLL_MS)
  }
  child.stdin?.end()
  await ended(child)
  return false
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolveEnded) => {
    child.once('exit', resolveEnded)
  })
}

function logOf(folder: string): string {
  const log = join(folder, 'regtest', 'debug.log')
  return existsSync(log) ? readFileSync(log, 'utf8').slice(-2_000) : '(no log)'
}
