import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseHeader } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { parseBitcoinProvider } from '../../src/policy/bitcoin-provider.ts'
import type { BlockPlace } from '../../src/timestamps/bitcoin/provider.ts'
import { createBitcoinProvider } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { BitcoinProviderClient } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { ProviderAnswer } from '../../src/timestamps/provider.ts'
import { describeBitcoind, startBitcoind } from '../support/bitcoind.ts'
import type { Bitcoind } from '../support/bitcoind.ts'
import { temporaryFolder } from '../support/folders.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { startEsplora } from './support/esplora.ts'

const NEVER = new AbortController().signal
const NO_BLOCK = '0'.repeat(64)

describeBitcoind('who tells where blocks stand', () => {
  let node: Bitcoind
  beforeAll(async () => {
    node = await startBitcoind()
  })
  afterAll(() => node.stop())

  const provider = (address: string, network = 'regtest', folder = '.'): BitcoinProviderClient => {
    const parsed = parseBitcoinProvider(address)
    if (parsed === null) throw new Error(`no provider: ${address}`)
    return createBitcoinProvider(parsed, { network, folder, clock: createHandClock() })
  }
  const withCookie = (): BitcoinProviderClient => provider(`bitcoind+${node.url}?cookie=${node.cookieFile}`)
  const hashAt = async (height: number): Promise<string> => (await node.rpc('getblockhash', height)) as string
  const headerOf = async (hash: string): Promise<string> => (await node.rpc('getblockheader', hash, false)) as string
  const valueOf = (answer: ProviderAnswer<BlockPlace>): BlockPlace => {
    if (!answer.ok) throw new Error(answer.detail)
    return answer.value
  }

  it('node, API and file say the same of every block, and all of it is true', async () => {
    await using esplora = await startEsplora(node)
    const tip = await node.tip()
    const folder = temporaryFolder()
    for (let height = 0; height <= tip.height; height += 1) {
      appendFileSync(join(folder, 'headers'), `${height} ${await headerOf(await hashAt(height))}\n`)
    }
    const providers = [
      provider(node.providerAddress),
      withCookie(),
      provider(esplora.url),
      provider('file:headers', 'regtest', folder)
    ]
    const places = async (hash: string, height: number): Promise<BlockPlace> => {
      const answers = await Promise.all(providers.map((each) => each.place(hash, height, NEVER)))
      const [first, ...others] = answers.map(valueOf) as [BlockPlace, ...BlockPlace[]]
      for (const other of others) expect(other).toEqual(first)
      return first
    }
    for (const height of [0, 1, 57, tip.height]) {
      const hash = await hashAt(height)
      const { header, hashAtHeight, tipHeight } = await places(hash, height)
      expect(header !== null && parseHeader(header)?.hash).toBe(hash)
      expect({ hashAtHeight, tipHeight }).toEqual({ hashAtHeight: hash, tipHeight: tip.height })
      expect(await places(NO_BLOCK, height)).toEqual({ header: null, hashAtHeight: hash, tipHeight: tip.height })
      for (const above of [tip.height + 1, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
        expect(await places(hash, above)).toEqual({ header, hashAtHeight: null, tipHeight: tip.height })
      }
    }
  })

  it('another network than the one that is asked for is another chain', async () => {
    await using esplora = await startEsplora(node)
    const { hash, height } = await node.tip()
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'headers'), `0 ${await headerOf(await hashAt(0))}\n`)
    for (const network of ['mainnet', 'testnet', 'testnet4', 'signet', 'nowhere']) {
      for (const address of [node.providerAddress, esplora.url, 'file:headers']) {
        const answer = await provider(address, network, folder).place(hash, height, NEVER)
        expect(answer).toMatchObject({ ok: false, code: 'PROVIDER_CHAIN' })
      }
    }
  })

  it('keeps the header of a block that is in the best chain no more', async () => {
    const asked = provider(node.providerAddress)
    const [hash = ''] = await node.mine(1)
    const { height } = await node.tip()
    await node.reorganise(hash)
    const left = valueOf(await asked.place(hash, height, NEVER))
    expect(left.header !== null && parseHeader(left.header)?.hash).toBe(hash)
    expect(left).toMatchObject({ hashAtHeight: await hashAt(height), tipHeight: height + 1 })
    expect(left.hashAtHeight).not.toBe(hash)
  })

  it('a node that does not take the password tells nothing', async () => {
    const wrong = provider(node.providerAddress.replace(node.password, 'wrong'))
    const answer = await wrong.place(NO_BLOCK, 0, NEVER)
    expect(answer).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    expect(answer).toHaveProperty('detail', expect.stringContaining('HTTP status 401'))
  })

  it('a wallet that is not loaded does not keep the node from telling', async () => {
    const { hash, height } = await node.tip()
    const place = await provider(node.walletAddress.replace('anchors', 'nobody')).place(hash, height, NEVER)
    expect(valueOf(place).hashAtHeight).toBe(hash)
  })

  it('a node that is gone tells nothing, and one that is back is asked with its new cookie', async () => {
    const asked = withCookie()
    const { hash, height } = await node.tip()
    valueOf(await asked.place(hash, height, NEVER))
    const before = asked.name
    await node.restart()
    // Nothing is shown where somebody else took the port in between.
    if (withCookie().name === before) expect(valueOf(await asked.place(hash, height, NEVER)).hashAtHeight).toBe(hash)
    const gone = provider('bitcoind+http://127.0.0.1:1')
    expect(await gone.place(hash, height, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
  })
})
