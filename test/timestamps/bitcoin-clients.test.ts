import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { parseBitcoinProvider } from '../../src/policy/bitcoin-provider.ts'
import { createBitcoinProvider } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { BitcoinProviderClient } from '../../src/timestamps/clients/bitcoin-provider.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'
import { temporaryFolder } from '../support/folders.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { startLocalServer } from '../support/local-server.ts'
import type { LocalServer } from '../support/local-server.ts'

const NEVER = new AbortController().signal
const HASH = 'ab'.repeat(32)
const OTHER_HASH = 'cd'.repeat(32)
const HEADER = '11'.repeat(80)
const HEIGHT = 7
const TIP = 20
const GENESIS = {
  mainnet: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f',
  regtest: '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206'
}

function provider(address: string, { network = 'regtest', folder = '.' } = {}): BitcoinProviderClient {
  const parsed = parseBitcoinProvider(address)
  if (parsed === null) throw new Error(`no provider: ${address}`)
  return createBitcoinProvider(parsed, { network, folder, clock: createHandClock() })
}

const seen = (header: string | null, hashAtHeight: string | null, tipHeight: number): unknown => ({
  ok: true,
  value: { header: header === null ? null : new Uint8Array(Buffer.from(header, 'hex')), hashAtHeight, tipHeight }
})

/** What a Bitcoin Core node answers to each method, in the form of JSON-RPC 1.0. */
type Results = Readonly<Record<string, unknown>>

const RESULTS: Results = {
  getblockchaininfo: { chain: 'regtest', blocks: TIP, bestblockhash: OTHER_HASH },
  getblockheader: HEADER,
  getblockhash: HASH,
  getbestblockhash: OTHER_HASH
}

class RpcFailure {
  readonly code: number
  constructor(code: number) {
    this.code = code
  }
}

function rpcAnswers(body: Uint8Array, results: Results): unknown[] {
  const calls = JSON.parse(new TextDecoder().decode(body)) as { id: number; method: string }[]
  return calls.map(({ id, method }) => {
    const result = results[method]
    return result instanceof RpcFailure
      ? { id, result: null, error: { code: result.code, message: 'says\u001b why' } }
      : { id, result, error: null }
  })
}

const startCore = (results: Results): Promise<LocalServer> =>
  startLocalServer((_request, body, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(rpcAnswers(body, results)))
  })

const coreAt = (server: LocalServer): BitcoinProviderClient => provider(`bitcoind+${server.url}`)

async function placeIn(results: Results): Promise<unknown> {
  await using core = await startCore({ ...RESULTS, ...results })
  return await coreAt(core).place(HASH, HEIGHT, NEVER)
}

describe('Bitcoin Core', () => {
  it('tells header, hash at the height and tip, of any version', async () => {
    expect(await placeIn({})).toEqual(seen(HEADER, HASH, TIP))
    await using newer = await startLocalServer((_request, body, response) => {
      const answers = rpcAnswers(body, RESULTS) as { id: number; result: unknown }[]
      response.end(JSON.stringify(answers.map(({ id, result }) => ({ jsonrpc: '2.0', id, result }))))
    })
    expect(await coreAt(newer).place(HASH, HEIGHT, NEVER)).toEqual(seen(HEADER, HASH, TIP))
  })

  it('does not know the block, or its chain is shorter', async () => {
    expect(await placeIn({ getblockheader: new RpcFailure(-5), getblockhash: OTHER_HASH })).toEqual(
      seen(null, OTHER_HASH, TIP)
    )
    const shorter = { chain: 'regtest', blocks: HEIGHT - 1, bestblockhash: OTHER_HASH }
    expect(await placeIn({ getblockchaininfo: shorter, getblockhash: new RpcFailure(-8) })).toEqual(
      seen(HEADER, null, HEIGHT - 1)
    )
  })

  it('is asked for no height that it refuses to read', async () => {
    const heights: unknown[] = []
    await using core = await startLocalServer((_request, body, response) => {
      const calls = JSON.parse(new TextDecoder().decode(body)) as { method: string; params: unknown[] }[]
      heights.push(calls.find(({ method }) => method === 'getblockhash')?.params[0])
      response.end(JSON.stringify(rpcAnswers(body, { ...RESULTS, getblockhash: new RpcFailure(-8) })))
    })
    expect(await coreAt(core).place(HASH, Number.MAX_SAFE_INTEGER, NEVER)).toEqual(seen(HEADER, null, TIP))
    expect(heights).toEqual([2 ** 31 - 1])
  })

  it.each([
    ['another chain', { getblockchaininfo: { chain: 'main', blocks: TIP } }, 'PROVIDER_CHAIN'],
    ['no chain', { getblockchaininfo: { blocks: TIP } }, 'PROVIDER_MALFORMED'],
    ['a list for an object', { getblockchaininfo: [] }, 'PROVIDER_MALFORMED'],
    ['a header that is too short', { getblockheader: HEADER.slice(2) }, 'PROVIDER_MALFORMED'],
    ['a header that is no hex', { getblockheader: 'x'.repeat(160) }, 'PROVIDER_MALFORMED'],
    ['an object for a header', { getblockheader: {} }, 'PROVIDER_MALFORMED'],
    ['a number for a hash', { getblockhash: 12 }, 'PROVIDER_MALFORMED'],
    ['a hash in upper case', { getblockhash: HASH.toUpperCase() }, 'PROVIDER_MALFORMED'],
    [
      'a text for a height',
      { getblockchaininfo: { chain: 'regtest', blocks: '20', bestblockhash: OTHER_HASH } },
      'PROVIDER_MALFORMED'
    ],
    ['no hash below the tip', { getblockhash: new RpcFailure(-8) }, 'PROVIDER_MALFORMED'],
    ['a block without its header', { getblockheader: new RpcFailure(-5) }, 'PROVIDER_MALFORMED'],
    ['that it knows no such method', { getblockheader: new RpcFailure(-32601) }, 'PROVIDER_MALFORMED'],
    ['that it is starting', { getblockchaininfo: new RpcFailure(-28) }, 'PROVIDER_UNREACHABLE'],
    ['another tip each time', { getbestblockhash: HASH }, 'PROVIDER_UNREACHABLE']
  ])('that answers %s tells nothing', async (_what, results, code) => {
    const answer = await placeIn(results)
    expect(answer).toMatchObject({ ok: false, code })
    expect(answer).toHaveProperty('detail', expect.stringMatching(/^127\.0\.0\.1:\d+ [ -~]+$/))
  })

  it.each([
    ['a page for people', 200, '<html><body>Welcome</body></html>', 'PROVIDER_MALFORMED'],
    ['nothing', 200, '', 'PROVIDER_MALFORMED'],
    ['what is no UTF-8', 200, Buffer.from([0x5b, 0xff, 0x5d]), 'PROVIDER_MALFORMED'],
    ['one object for a list', 200, '{"id":0,"result":1,"error":null}', 'PROVIDER_MALFORMED'],
    ['too few answers', 200, '[{"id":0,"result":1,"error":null}]', 'PROVIDER_MALFORMED'],
    ['no result', 200, JSON.stringify([0, 1, 2, 3].map((id) => ({ id }))), 'PROVIDER_MALFORMED'],
    [
      'an error without a code',
      200,
      JSON.stringify([0, 1, 2, 3].map((id) => ({ id, error: 'no' }))),
      'PROVIDER_MALFORMED'
    ],
    ['status 302', 302, '', 'PROVIDER_UNREACHABLE'],
    ['status 401', 401, '', 'PROVIDER_UNREACHABLE'],
    ['status 403', 403, '', 'PROVIDER_UNREACHABLE'],
    ['status 404', 404, '<html>', 'PROVIDER_UNREACHABLE'],
    ['status 500', 500, '', 'PROVIDER_UNREACHABLE']
  ])('that sends %s tells nothing', async (_what, status, body, code) => {
    await using server = await startLocalServer((_request, _body, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end(body)
    })
    expect(await coreAt(server).place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: false, code })
    expect(server.paths).toHaveLength(1)
  })

  it('that answers with the ids of others tells nothing', async () => {
    let turn = 0
    await using core = await startLocalServer((_request, body, response) => {
      const answers = rpcAnswers(body, RESULTS) as { id: number }[]
      response.end(JSON.stringify(answers.map(({ id, ...rest }) => ({ id: id + turn, ...rest }))))
    })
    expect(await coreAt(core).place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: true })
    turn = 1
    expect(await coreAt(core).place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_MALFORMED' })
  })

  it('looks again when a block came in between', async () => {
    let tip = HASH
    await using core = await startLocalServer((_request, body, response) => {
      const info = { chain: 'regtest', blocks: TIP, bestblockhash: tip }
      tip = OTHER_HASH
      response.end(JSON.stringify(rpcAnswers(body, { ...RESULTS, getblockchaininfo: info })))
    })
    expect(await coreAt(core).place(HASH, HEIGHT, NEVER)).toEqual(seen(HEADER, HASH, TIP))
    expect(core.paths).toHaveLength(2)
  })

  it('shows nobody its password', async () => {
    await using core = await startLocalServer((_request, _body, response) => {
      response.writeHead(401).end()
    })
    const refused = provider(core.url.replace('http://', 'bitcoind+http://reader:s3cret@'))
    const answer = await refused.place(HASH, HEIGHT, NEVER)
    expect(answer).toMatchObject({
      ok: false,
      detail: `${refused.name} does not take the user name and password (HTTP status 401)`
    })
    expect(JSON.stringify([refused.name, refused.health, answer])).not.toMatch(/reader|s3cret/)
  })

  it('gets the cookie of its last start', async () => {
    const folder = temporaryFolder()
    let cookie = '__cookie__:first'
    await using core = await startLocalServer(({ headers }, body, response) => {
      const given = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
      if (given === cookie) response.end(JSON.stringify(rpcAnswers(body, RESULTS)))
      else response.writeHead(401).end()
    })
    const asked = provider(`bitcoind+${core.url}?cookie=.cookie`, { folder })
    expect(await asked.place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    expect(core.paths).toHaveLength(0)
    writeFileSync(join(folder, '.cookie'), `${cookie}\n`)
    expect(await asked.place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: true })
    cookie = '__cookie__:second'
    expect(await asked.place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    writeFileSync(join(folder, '.cookie'), cookie)
    expect(await asked.place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: true })
  })
})

/** What an Esplora API answers by path; 404 for the rest. */
const startEsplora = (pages: Readonly<Record<string, string>>): Promise<LocalServer> =>
  startLocalServer(({ url = '' }, _body, response) => {
    const page = pages[url]
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(page ?? 'Block not found')
  })

const PAGES = {
  '/api/block-height/0': GENESIS.regtest,
  '/api/blocks/tip/hash': OTHER_HASH,
  '/api/blocks/tip/height': String(TIP),
  [`/api/block/${HASH}/header`]: HEADER,
  [`/api/block-height/${HEIGHT}`]: HASH
}

async function placeOf(pages: Readonly<Record<string, string>>, height = HEIGHT): Promise<unknown> {
  await using server = await startEsplora(pages)
  return await provider(`${server.url}/api/`).place(HASH, height, NEVER)
}

const without = (path: string): Record<string, string> =>
  Object.fromEntries(Object.entries(PAGES).filter(([name]) => name !== path))

describe('an Esplora API', () => {
  it('tells header, hash at the height and tip, and is asked for its chain once', async () => {
    await using server = await startEsplora(PAGES)
    const asked = provider(`${server.url}/api`)
    expect(await asked.place(HASH, HEIGHT, NEVER)).toEqual(seen(HEADER, HASH, TIP))
    expect(await asked.place(HASH, HEIGHT, NEVER)).toEqual(seen(HEADER, HASH, TIP))
    expect(server.paths.filter((path) => path === '/api/block-height/0')).toHaveLength(1)
  })

  it('does not know the block, or its chain is shorter', async () => {
    const pages = { ...without(`/api/block/${HASH}/header`), [`/api/block-height/${HEIGHT}`]: OTHER_HASH }
    expect(await placeOf(pages)).toEqual(seen(null, OTHER_HASH, TIP))
    expect(await placeOf(PAGES, TIP + 1)).toEqual(seen(HEADER, null, TIP))
  })

  it.each([
    ['serves another chain', { '/api/block-height/0': GENESIS.mainnet }, 'PROVIDER_CHAIN'],
    ['has no first block', { '/api/block-height/0': 'none' }, 'PROVIDER_MALFORMED'],
    ['gives another kind of header', { [`/api/block/${HASH}/header`]: '{"id":1}' }, 'PROVIDER_MALFORMED'],
    ['gives a page for people', { [`/api/block/${HASH}/header`]: 'x'.repeat(1_000) }, 'PROVIDER_MALFORMED'],
    ['counts otherwise', { '/api/blocks/tip/height': '-1' }, 'PROVIDER_MALFORMED'],
    ['has no tip', { '/api/blocks/tip/hash': '' }, 'PROVIDER_MALFORMED'],
    ['has a tip below the block', { '/api/blocks/tip/height': String(HEIGHT - 1) }, 'PROVIDER_MALFORMED']
  ])('that %s tells nothing', async (_what, pages, code) => {
    expect(await placeOf({ ...PAGES, ...pages })).toMatchObject({ ok: false, code })
  })

  it.each([
    ['/api/block-height/0', 'PROVIDER_MALFORMED'],
    ['/api/blocks/tip/hash', 'PROVIDER_MALFORMED'],
    ['/api/blocks/tip/height', 'PROVIDER_MALFORMED'],
    [`/api/block/${HASH}/header`, 'PROVIDER_MALFORMED'],
    [`/api/block-height/${HEIGHT}`, 'PROVIDER_MALFORMED']
  ])('without %s contradicts itself', async (path, code) => {
    expect(await placeOf(without(path))).toMatchObject({ ok: false, code })
  })

  it('that answers in HTML, or with an error, tells nothing', async () => {
    for (const [status, mediaType, code] of [
      [200, 'text/plain', undefined],
      [200, 'text/html', 'PROVIDER_MALFORMED'],
      [400, 'text/plain', 'PROVIDER_UNREACHABLE'],
      [502, 'text/html', 'PROVIDER_UNREACHABLE'],
      [429, 'text/plain', 'PROVIDER_LIMITED']
    ] as const) {
      await using server = await startLocalServer(({ url = '' }, _body, response) => {
        response.writeHead(status, { 'content-type': mediaType }).end((PAGES as Record<string, string>)[`/api${url}`])
      })
      const answer = await provider(server.url).place(HASH, HEIGHT, NEVER)
      expect(answer).toMatchObject(code === undefined ? { ok: true } : { ok: false, code })
    }
  })

  it('of a network that nobody knows is of another chain', async () => {
    await using server = await startEsplora(PAGES)
    const asked = provider(`${server.url}/api`, { network: 'nowhere' })
    expect(await asked.place(HASH, HEIGHT, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_CHAIN' })
  })
})

describeThirdParty('bitcoin/derived', (folder) => {
  it('an Esplora API with a real block is read to its last byte', async () => {
    const block = readJson(folder, 'block-702861.json') as { height: number; blockHash: string; header: string }
    await using server = await startEsplora({
      '/block-height/0': GENESIS.mainnet,
      '/blocks/tip/hash': OTHER_HASH,
      '/blocks/tip/height': String(block.height + 6),
      [`/block-height/${block.height}`]: block.blockHash,
      [`/block/${block.blockHash}/header`]: block.header
    })
    const place = await provider(server.url, { network: 'mainnet' }).place(block.blockHash, block.height, NEVER)
    expect(place).toEqual(seen(block.header, block.blockHash, block.height + 6))
    expect(place.ok && place.value.header !== null && toHex(place.value.header)).toBe(block.header)
  })
})
