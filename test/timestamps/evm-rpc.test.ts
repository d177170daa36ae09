import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EvmJsonRpc } from '../../src/timestamps/clients/evm-json-rpc.ts'
import { createEvmRpc } from '../../src/timestamps/clients/evm-rpc.ts'
import type { EvmSight, EvmTag } from '../../src/timestamps/evm/provider.ts'
import type { ProviderAnswer } from '../../src/timestamps/provider.ts'
import { startAnvil } from '../support/anvil.ts'
import type { Anvil } from '../support/anvil.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { until } from '../support/until.ts'
import { closedUrl } from './support/closed-url.ts'
import { startJsonRpc } from './support/json-rpc-server.ts'
import type { Reply } from './support/json-rpc-server.ts'
import { respond, startNode } from './support/recorded-chain.ts'
import type { Answer, RpcRequest } from './support/recorded-chain.ts'

const never = new AbortController().signal
const CHAIN_ID = 'eip155:31337'

/** What a real node says of one transaction with a log and of its block, call by call. */
let chain: Anvil
let txHash: string
let blockNumber: number
const recorded = new Map<string, unknown>()
const keyOf = (method: string, params: readonly unknown[]): string => `${method} ${JSON.stringify(params)}`
const honest: Answer = (method, params) => structuredClone(recorded.get(keyOf(method, params)))

beforeAll(async () => {
  chain = await startAnvil()
  const logger = await chain.deployLogger()
  ;({ txHash, blockNumber } = await chain.include({ to: logger, data: 'ab'.repeat(32) }))
  await chain.mine(3)
  const number = `0x${blockNumber.toString(16)}`
  const calls: readonly (readonly [string, ...unknown[]])[] = [
    ['eth_chainId'],
    ['eth_blockNumber'],
    ['eth_getTransactionByHash', `0x${txHash}`],
    ['eth_getTransactionReceipt', `0x${txHash}`],
    ...[number, 'finalized', 'safe'].map((tag) => ['eth_getBlockByNumber', tag, false] as const)
  ]
  for (const [method, ...params] of calls) recorded.set(keyOf(method, params), await chain.rpc(method, ...params))
})
afterAll(() => chain.stop())

let clock: HandClock
beforeEach(() => {
  clock = createHandClock()
})

const see = (url: string, tag: EvmTag | null = null): Promise<ProviderAnswer<EvmSight>> =>
  createEvmRpc({ chainId: CHAIN_ID, url, clock }).see(txHash, blockNumber, tag, never)

async function seeBy(answer: Answer, tag: EvmTag | null = null): Promise<ProviderAnswer<EvmSight>> {
  await using node = await startNode(answer)
  return await see(node.url, tag)
}

/** The honest node, but for one method, whose result goes through `change`. */
const butFor =
  (changed: string, change: (result: never) => unknown): Answer =>
  (method, params) =>
    method === changed ? change(honest(method, params) as never) : honest(method, params)
/** The honest node, but for one member of the result of a method. */
const withMember = (method: string, member: string, value: unknown): Answer =>
  butFor(method, (result: object | null) => result && { ...result, [member]: value })

describe('an honest node', () => {
  it('shows block, transaction, receipt and tags', async () => {
    const sight = {
      headNumber: blockNumber + 3,
      taggedNumber: null,
      finalizedNumber: blockNumber + 1,
      block: { number: blockNumber, holdsTransaction: true },
      transaction: { blockNumber, succeeded: true, hashChecked: true, logs: [{ topics: [] }] }
    }
    expect(await seeBy(honest)).toMatchObject({ ok: true, value: sight })
    expect(await seeBy(honest, 'latest')).toMatchObject({ value: { taggedNumber: blockNumber + 3 } })
    expect(await seeBy(honest, 'safe')).toMatchObject({ value: { taggedNumber: blockNumber + 2 } })
    expect(await seeBy(honest, 'finalized')).toMatchObject({ value: { taggedNumber: blockNumber + 1 } })
  })

  it('that takes no batches is asked one by one from then on', async () => {
    const refusals: readonly Reply[] = [
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not supported"}}',
      { status: 405, type: 'text/html', body: '<html>' },
      { status: 400, body: '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}' }
    ]
    for (const refusal of refusals) {
      let batches = 0
      await using node = await startJsonRpc((body) => {
        if (body.startsWith('[')) {
          batches += 1
          return refusal
        }
        return JSON.stringify(respond(JSON.parse(body) as RpcRequest, honest))
      })
      const provider = createEvmRpc({ chainId: CHAIN_ID, url: node.url, clock })
      expect(await provider.see(txHash, blockNumber, null, never)).toMatchObject({ ok: true })
      expect(await provider.see(txHash, blockNumber, null, never)).toMatchObject({ ok: true })
      expect(batches).toBe(1)
    }
  })

  it('may answer a batch in any order', async () => {
    await using node = await startJsonRpc((body) =>
      JSON.stringify((JSON.parse(body) as RpcRequest[]).map((request) => respond(request, honest)).toReversed())
    )
    expect(await see(node.url)).toMatchObject({ ok: true })
  })

  it('is asked for its chain at first, and again after ten minutes', async () => {
    const answers: string[] = []
    await using node = await startNode((method, params) => {
      answers.push(method)
      return honest(method, params)
    })
    const provider = createEvmRpc({ chainId: CHAIN_ID, url: node.url, clock })
    const asked = async (): Promise<boolean> => {
      answers.length = 0
      expect(await provider.see(txHash, blockNumber, null, never)).toMatchObject({ ok: true })
      return answers.includes('eth_chainId')
    }
    expect([await asked(), await asked()]).toEqual([true, false])
    await clock.advance(10 * 60_000)
    expect([await asked(), await asked()]).toEqual([true, false])
  })

  it('without `finalized`, or too young for it, has no such block', async () => {
    const noSuchTag: Answer = (method, params) =>
      ['finalized', 'safe'].includes(String(params[0]))
        ? { error: { code: -39_001, message: 'Unknown block' } }
        : honest(method, params)
    const none = { ok: true, value: { taggedNumber: null, finalizedNumber: null } }
    expect(await seeBy(noSuchTag, 'safe')).toMatchObject(none)
    expect(await seeBy((method, params) => (params[0] === 'finalized' ? null : honest(method, params)))).toMatchObject(
      none
    )
  })

  it('that is behind shows no block, by null or by an error', async () => {
    for (const missing of [null, { error: { code: -32_000, message: 'header not found' } }]) {
      const behind: Answer = (method, params) => {
        if (method === 'eth_blockNumber') return `0x${(blockNumber - 1).toString(16)}`
        return method.startsWith('eth_getTransaction')
          ? null
          : params[0] === 'finalized'
            ? null
            : method === 'eth_chainId'
              ? honest(method, params)
              : missing
      }
      expect(await seeBy(behind)).toMatchObject({ ok: true, value: { block: null, transaction: null } })
    }
  })

  it('is asked once more when its chain moved between the calls', async () => {
    let looks = 0
    const moving: Answer = (method, params) => {
      if (method === 'eth_getTransactionReceipt') looks += 1
      return method === 'eth_getTransactionReceipt' && looks === 1 ? null : honest(method, params)
    }
    expect(await seeBy(moving)).toMatchObject({ ok: true })
    expect(looks).toBe(2)
  })

  it('gets user name and password as credentials, which are never shown', async () => {
    let authorization: string | undefined
    await using node = await startJsonRpc((body, headers) => {
      ;({ authorization } = headers)
      return JSON.stringify((JSON.parse(body) as RpcRequest[]).map((request) => respond(request, honest)))
    })
    const url = new URL(`${node.url}v3/secret-key?token=hidden`)
    url.username = 'ada'
    url.password = 'p@ss'
    const provider = createEvmRpc({ chainId: CHAIN_ID, url: url.href, clock })
    expect(await provider.see(txHash, blockNumber, null, never)).toMatchObject({ ok: true })
    expect(authorization).toBe(`Basic ${Buffer.from('ada:p@ss').toString('base64')}`)
    expect([provider.name, provider.health.name]).toEqual([url.host, url.host])
  })
})

describe('what is no answer', () => {
  const malformed = 'PROVIDER_MALFORMED'
  it.each<readonly [string, string, Reply]>([
    ['HTML', malformed, { status: 200, type: 'text/html', body: '<html>welcome</html>' }],
    ['nothing', malformed, ''],
    ['no UTF-8', malformed, Uint8Array.of(0x22, 0xff, 0x22)],
    ['a number', malformed, '1'],
    ['null', malformed, 'null'],
    ['an empty batch', malformed, '[]'],
    ['too many requests', 'PROVIDER_LIMITED', { status: 429, body: '' }],
    ['an error of JSON-RPC that is a limit', 'PROVIDER_LIMITED', '{"error":{"code":-32005,"message":"limit"}}'],
    ['an error that copies HTTP', 'PROVIDER_LIMITED', '{"id":1,"error":{"code":429,"message":"slow down"}}'],
    ['no access', 'PROVIDER_UNREACHABLE', { status: 403, type: 'text/html', body: '<html>' }],
    ['a redirect', 'PROVIDER_UNREACHABLE', { status: 302, body: '' }],
    ['an error of the server', 'PROVIDER_UNREACHABLE', { status: 502, body: '' }]
  ])('%s: %s', async (_name, code, reply) => {
    await using node = await startJsonRpc(() => reply)
    expect(await see(node.url)).toMatchObject({ ok: false, code })
  })

  it('nobody there, and nobody who answers in time', async () => {
    expect(await see(await closedUrl())).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    await using node = await startJsonRpc(() => null)
    const seeing = see(node.url)
    await until('the request has come', () => node.requests === 1)
    await clock.advance(10_000)
    expect(await seeing).toMatchObject({ ok: false, code: 'PROVIDER_TIMEOUT' })
    expect(clock.pendingTimers()).toBe(0)
  })

  it('rejects when it is aborted', async () => {
    await using node = await startJsonRpc(() => null)
    const controller = new AbortController()
    const provider = createEvmRpc({ chainId: CHAIN_ID, url: node.url, clock })
    const seeing = provider.see(txHash, blockNumber, null, controller.signal)
    await until('the request has come', () => node.requests === 1)
    controller.abort(new Error('stopped'))
    await expect(seeing).rejects.toThrow('stopped')
  })

  it('another id, twice the same, one too few, another version', async () => {
    const wrong: readonly ((responses: Record<string, unknown>[]) => unknown)[] = [
      (responses) => responses.map((response) => ({ ...response, id: Number(response['id']) + 100 })),
      (responses) => responses.map((response) => ({ ...response, id: String(response['id']) })),
      (responses) => [...responses, responses[0]],
      (responses) => responses.slice(1),
      (responses) => responses.map((response) => ({ ...response, jsonrpc: '1.0' })),
      (responses) => responses.map((response) => ({ ...response, error: { code: 1, message: '' } })),
      (responses) => responses.map(({ id, jsonrpc }) => ({ id, jsonrpc }))
    ]
    for (const change of wrong) {
      await using node = await startJsonRpc((body) =>
        JSON.stringify(change((JSON.parse(body) as RpcRequest[]).map((request) => respond(request, honest))))
      )
      expect(await see(node.url)).toMatchObject({ ok: false, code: malformed })
    }
  })

  it('another chain, a chain id that is none, none at all', async () => {
    for (const [id, code] of [
      ['0x1', 'PROVIDER_CHAIN'],
      ['0x7a690', 'PROVIDER_CHAIN'],
      ['0x0', 'PROVIDER_CHAIN'],
      ['0x07a69', malformed],
      ['31337', malformed],
      [31_337, malformed],
      [null, malformed],
      [{ error: { code: -32_601, message: 'no such method' } }, 'PROVIDER_UNREACHABLE']
    ] as const)
      expect(await seeBy(butFor('eth_chainId', () => id)), JSON.stringify(id)).toMatchObject({ ok: false, code })
  })

  it('messages that repeat the key, steer a terminal or end in half a character', async () => {
    const [key, password] = ['0123456789abcdef0123', 's3cret-word']
    const message = `${'x'.repeat(20)} ${key} ${password} \u001b[2J\u009b1m\n\u202e${'😀'.repeat(200)}`
    await using node = await startNode(butFor('eth_getTransactionByHash', () => ({ error: { code: -1, message } })))
    const url = new URL(`${node.url}v3/${key}`)
    url.username = 'ada'
    url.password = password
    const provider = createEvmRpc({ chainId: CHAIN_ID, url: url.href, clock })
    const answer = await provider.see(txHash, blockNumber, null, never)
    const detail = answer.ok ? '' : answer.detail
    expect(detail).toContain('xxxx')
    expect(detail).not.toMatch(/\p{C}/u)
    expect(detail.isWellFormed()).toBe(true)
    for (const secret of [key, password]) expect(detail).not.toContain(secret)
    expect(provider.health.failure?.detail).toBe(detail)
    // Those that make anchors quote the message itself.
    const rpc = new EvmJsonRpc(CHAIN_ID, url.href, clock)
    const outcomes = await rpc.ask([{ method: 'eth_getTransactionByHash', params: [] }], never)
    const [outcome] = outcomes.ok ? outcomes.value : []
    expect(outcome).toMatchObject({ ok: false, message: expect.not.stringMatching(/\p{C}|s3cret/u) as string })
  })

  it('errors where there is no excuse for them', async () => {
    for (const method of [
      'eth_blockNumber',
      'eth_getTransactionByHash',
      'eth_getTransactionReceipt',
      'eth_getBlockByNumber'
    ]) {
      const failing = butFor(method, () => ({ error: { code: -32_603, message: 'internal error' } }))
      expect(await seeBy(failing), method).toMatchObject({ ok: false, code: 'PROVIDER_UNREACHABLE' })
    }
  })
})

describe('what does not hold together', () => {
  const other = 'cd'.repeat(32)
  it.each<readonly [string, () => Answer]>([
    [
      'a transaction that hashes to something else',
      () => withMember('eth_getTransactionByHash', 'input', `0x${other}`)
    ],
    ['another transaction', () => withMember('eth_getTransactionByHash', 'hash', `0x${other}`)],
    ['a transaction of another chain', () => withMember('eth_getTransactionByHash', 'chainId', '0x1')],
    ['a transaction of a wrong type', () => withMember('eth_getTransactionByHash', 'type', '0x1')],
    ['a transaction in a block without a number', () => withMember('eth_getTransactionByHash', 'blockNumber', null)],
    ['a transaction in another block', () => withMember('eth_getTransactionByHash', 'blockHash', `0x${other}`)],
    ['no transaction, though the block lists it', () => butFor('eth_getTransactionByHash', () => null)],
    [
      'a transaction that waits, though it has a receipt',
      () => withMember('eth_getTransactionByHash', 'blockHash', null)
    ],
    ['no receipt', () => butFor('eth_getTransactionReceipt', () => null)],
    [
      'a receipt of another transaction',
      () => withMember('eth_getTransactionReceipt', 'transactionHash', `0x${other}`)
    ],
    ['a receipt in another block', () => withMember('eth_getTransactionReceipt', 'blockHash', `0x${other}`)],
    ['a receipt of another call', () => withMember('eth_getTransactionReceipt', 'to', null)],
    ['a receipt of another sender', () => withMember('eth_getTransactionReceipt', 'from', `0x${other.slice(24)}`)],
    ['a receipt at another place', () => withMember('eth_getTransactionReceipt', 'transactionIndex', '0x1')],
    ['a status that is none', () => withMember('eth_getTransactionReceipt', 'status', '0x2')],
    ['no status', () => withMember('eth_getTransactionReceipt', 'status', null)],
    ['logs that are none', () => withMember('eth_getTransactionReceipt', 'logs', {})],
    [
      'a log that was removed',
      () =>
        butFor('eth_getTransactionReceipt', (receipt: { logs: object[] }) => ({
          ...receipt,
          logs: receipt.logs.map((log) => ({ ...log, removed: true }))
        }))
    ],
    [
      'a log of another transaction',
      () =>
        butFor('eth_getTransactionReceipt', (receipt: { logs: object[] }) => ({
          ...receipt,
          logs: receipt.logs.map((log) => ({ ...log, transactionHash: `0x${other}` }))
        }))
    ],
    ['a block that does not list the transaction', () => withMember('eth_getBlockByNumber', 'transactions', [])],
    ['a block with whole transactions', () => withMember('eth_getBlockByNumber', 'transactions', [{}])],
    ['a block of another number', () => withMember('eth_getBlockByNumber', 'number', '0x1')],
    ['a block of another hash', () => withMember('eth_getBlockByNumber', 'hash', `0x${other}`)],
    ['a block without a time', () => withMember('eth_getBlockByNumber', 'timestamp', null)],
    ['a block from the end of time', () => withMember('eth_getBlockByNumber', 'timestamp', '0x1fffffffffffff')],
    ['no block, though the chain is longer', () => butFor('eth_getBlockByNumber', () => null)],
    ['a newest block that is no number', () => butFor('eth_blockNumber', () => '0x')],
    ['a newest block beyond all numbers', () => butFor('eth_blockNumber', () => '0x20000000000000')]
  ])('%s', async (_name, answer) => {
    expect(await seeBy(answer())).toMatchObject({ ok: false, code: 'PROVIDER_MALFORMED' })
  })

  it('of a transaction whose type is hashed in another way, the word of the node is all there is', async () => {
    const deposit = await seeBy(withMember('eth_getTransactionByHash', 'type', '0x7e'))
    expect(deposit).toMatchObject({ ok: true, value: { transaction: { hashChecked: false } } })
  })

  it('any value in any place is an answer or a failure, never thrown', async () => {
    let change: (responses: unknown) => unknown = (responses) => responses
    await using node = await startJsonRpc((body) => {
      const request = JSON.parse(body) as RpcRequest | RpcRequest[]
      const responses = Array.isArray(request) ? request.map((each) => respond(each, honest)) : respond(request, honest)
      return JSON.stringify(change(responses)) ?? ''
    })
    const codes = ['PROVIDER_MALFORMED', 'PROVIDER_CHAIN', 'PROVIDER_UNREACHABLE', 'PROVIDER_LIMITED']
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('0x', '0x0', '0xzz', `0x${'f'.repeat(65)}`, -1, 2 ** 60))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 6 }), value, async (path, replacement) => {
        change = (responses) => replacedAt(responses, path, replacement)
        const answer = await see(node.url)
        if (!answer.ok) expect(codes).toContain(answer.code)
        else expect(answer.value.block).not.toBeUndefined()
      }),
      { numRuns: 300 }
    )
  })
})

/** The value with another one at the place where the path leads; members are counted, round and round. */
function replacedAt(value: unknown, [first, ...rest]: readonly number[], replacement: unknown): unknown {
  if (first === undefined || typeof value !== 'object' || value === null) return replacement
  const names = Object.keys(value)
  if (names.length === 0) return replacement
  const name = names[first % names.length] as string
  const changed = replacedAt((value as Record<string, unknown>)[name], rest, replacement)
  return Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed }
}
