import { mkdir, readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { AnchormeshError } from '../../platform/errors.ts'
import type { CommandContext } from '../command.ts'
import type { Child, Children } from './children.ts'
import { poll } from './poll.ts'

/** Coins of a block can be spent once a hundred blocks stand on it. */
const BLOCKS_TO_SPEND = 101

const WALLET = 'demo'

/** A Bitcoin chain of one's own (regtest), by a real bitcoind on loopback. */
export interface BitcoinChain {
  /** As `rails.btc` names a provider. */
  readonly provider: string
  /** As `rails.btc` names a wallet; it has coins. */
  readonly wallet: string
  mine(blocks: number): Promise<void>
}

/** Starts `bitcoind`, with a new chain in `folder`. Throws `USAGE` when it can't be run. */
export async function startBitcoinChain(
  bitcoind: string,
  folder: string,
  children: Children,
  context: CommandContext
): Promise<BitcoinChain> {
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const child = children.run(bitcoind, [
    '-regtest',
    `-datadir=${folder}`,
    '-server',
    '-listen=0',
    '-connect=0',
    '-dnsseed=0',
    '-fixedseeds=0',
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    `-rpcport=${port}`,
    '-fallbackfee=0.0001',
    '-printtoconsole=0'
  ])
  const cookieFile = join(folder, 'regtest', '.cookie')
  const rpc = rpcOf(port, cookieFile, context.signal)
  await ready(child, rpc, bitcoind, context)
  await rpc('createwallet', [WALLET])
  const mine = async (blocks: number): Promise<void> => {
    const address = await rpc('getnewaddress', [], WALLET)
    await rpc('generatetoaddress', [blocks, address])
  }
  await mine(BLOCKS_TO_SPEND)
  const at = `bitcoind+http://127.0.0.1:${port}`
  const cookie = `?cookie=${encodeURIComponent(cookieFile)}`
  return {
    provider: `${at}${cookie}`,
    wallet: `${at}/wallet/${WALLET}${cookie}`,
    mine
  }
}

type Rpc = (method: string, params: readonly unknown[], wallet?: string) => Promise<unknown>

function rpcOf(port: number, cookieFile: string, signal: AbortSignal): Rpc {
  return async (method, params, wallet) => {
    const cookie = await readFile(cookieFile, 'utf8')
    const path = wallet === undefined ? '' : `wallet/${wallet}`
    const response = await fetch(`http://127.0.0.1:${port}/${path}`, {
      method: 'POST',
      redirect: 'error',
      headers: { authorization: `Basic ${Buffer.from(cookie).toString('base64')}` },
      body: JSON.stringify({ jsonrpc: '1.0', id: 'demo', method, params }),
      signal
    })
    const answer = (await response.json()) as { readonly result: unknown; readonly error: { message: string } | null }
    if (answer.error !== null) throw new AnchormeshError('INTERNAL', `bitcoind: ${method}: ${answer.error.message}`)
    return answer.result
  }
}

/** Waits until bitcoind answers; says what it wrote when it ends instead. */
async function ready(child: Child, rpc: Rpc, bitcoind: string, context: CommandContext): Promise<void> {
  let ended = false
  void child.ended.then(() => {
    ended = true
  })
  const isReady = async (): Promise<true | null> => {
    if (ended) {
      throw new AnchormeshError('USAGE', `${bitcoind} ended at once: ${child.errorText().trim()}`, {
        hint: '--bitcoind takes the path of a Bitcoin Core (or Knots) daemon that runs on this machine.'
      })
    }
    try {
      await rpc('getblockcount', [])
      return true
    } catch {
      // Not yet: it writes its cookie, then listens, then loads the chain.
      context.signal.throwIfAborted()
      return null
    }
  }
  await poll('bitcoind answers', isReady, context)
}

/** bitcoind can't be asked to choose a port by itself. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
