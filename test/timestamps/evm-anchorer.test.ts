import fc from 'fast-check'
import { Transaction } from 'micro-eth-signer'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { EvmTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { fromHex } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Anchorer, AnchorStep } from '../../src/anchoring/anchorer.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createEvmAnchorer } from '../../src/timestamps/clients/evm-anchorer.ts'
import type { EvmAnchorerOptions } from '../../src/timestamps/clients/evm-anchorer.ts'
import { parsePrivateKey } from '../../src/timestamps/clients/evm-draft.ts'
import { createEvmRpc } from '../../src/timestamps/clients/evm-rpc.ts'
import { createEvmVerifier } from '../../src/timestamps/evm/verifier.ts'
import { REVERTER_CODE, startAnvil } from '../support/anvil.ts'
import type { Anvil } from '../support/anvil.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { closedUrl } from './support/closed-url.ts'
import { startNode } from './support/recorded-chain.ts'

const never = new AbortController().signal
/** Another root for each test, on one chain. */
let roots = 0
const newRoot = (): string => sha256Hex(`root ${(roots += 1)}`)

let chain: Anvil
let clock: HandClock
beforeAll(async () => {
  chain = await startAnvil()
})
afterAll(() => chain.stop())
beforeEach(() => {
  clock = createHandClock()
})

function keyOf(hex: string): Uint8Array {
  const privateKey = parsePrivateKey(hex)
  if (privateKey === null) throw new Error('no private key')
  return privateKey
}

const anchorerOf = (on: Anvil = chain, options: Partial<EvmAnchorerOptions> = {}): Anchorer =>
  createEvmAnchorer({ chainId: on.chainId, urls: [on.url], privateKey: keyOf(on.privateKey), clock, ...options })

interface Logged extends JsonObject {
  readonly nonce: number
  readonly transactions: readonly { readonly rawTx: string; readonly txHash: string }[]
}

function draftOf(step: AnchorStep): Logged {
  if (step.state !== 'under-way') throw new Error(JSON.stringify(step))
  // What is logged is read again as JSON.
  return JSON.parse(JSON.stringify(step.draft)) as Logged
}

function anchorOf(step: AnchorStep): EvmTimestampAnchor {
  if (step.state !== 'complete') throw new Error(JSON.stringify(step))
  return step.timestampAnchor as EvmTimestampAnchor
}

const prepared = async (anchorer: Anchorer, root: string): Promise<Logged> =>
  draftOf(await anchorer.prepare(root, never))
const advanced = async (anchorer: Anchorer, root: string, draft: JsonObject): Promise<Logged> =>
  draftOf(await anchorer.advance(root, draft, never))
const countOf = async (on: Anvil, at = 'pending'): Promise<number> =>
  Number(await on.rpc<string>('eth_getTransactionCount', `0x${on.address}`, at))

async function isValid(on: Anvil, timestampAnchor: EvmTimestampAnchor, batchRoot: string): Promise<boolean> {
  const providers = [createEvmRpc({ chainId: on.chainId, url: on.url, clock: systemClock })]
  const verifier = createEvmVerifier({ chainId: on.chainId, providers, k: 1 })
  const result = await verifier.verify({ timestampAnchor, batchRoot, finality: { depth: 0 } }, never)
  return result.outcome === 'valid'
}

describe('from draft to evidence', () => {
  it('prepares without a trace, sends, waits for the block, and what comes of it is valid', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    expect([anchorer.rail, anchorer.chainId]).toEqual(['evm', chain.chainId])
    const before = await countOf(chain)
    const step = await anchorer.prepare(root, never)
    expect(await countOf(chain)).toBe(before)
    expect(step).toMatchObject({ state: 'under-way', retryAfterMs: 0 })
    const draft = draftOf(step)
    expect(draft.nonce).toBe(before)

    const sent = await advanced(anchorer, root, draft)
    expect(await countOf(chain)).toBe(before + 1)
    expect(await anchorer.advance(root, sent, never)).toMatchObject({
      state: 'under-way',
      detail: 'waiting for a block'
    })
    await chain.mine()
    const timestampAnchor = anchorOf(await anchorer.advance(root, sent, never))
    expect(timestampAnchor).toEqual({
      chainId: chain.chainId,
      txHash: draft.transactions[0]?.txHash,
      blockNumber: await chain.headNumber(),
      carriedIn: 'calldata'
    })
    expect(await isValid(chain, timestampAnchor, root)).toBe(true)
    expect(await isValid(chain, timestampAnchor, newRoot())).toBe(false)
  })

  it('pays once, though started anew after the draft and advanced twice at the same time', async () => {
    const root = newRoot()
    const before = await countOf(chain)
    const draft = await prepared(anchorerOf(), root)
    const again = [anchorerOf(), anchorerOf()]
    await Promise.all(again.map((anchorer) => advanced(anchorer, root, draft)))
    await chain.mine()
    const steps = await Promise.all(again.map((anchorer) => anchorer.advance(root, draft, never)))
    expect(new Set(steps.map((step) => anchorOf(step).txHash)).size).toBe(1)
    expect(await countOf(chain)).toBe(before + 1)
  })

  it('gives two drafts two nonces, and sends the second after the first', async () => {
    const [anchorer, one, two] = [anchorerOf(), newRoot(), newRoot()]
    const [first, second] = await Promise.all([prepared(anchorer, one), prepared(anchorer, two)])
    expect(Math.abs(first.nonce - second.nonce)).toBe(1)
    const [early, late] = first.nonce < second.nonce ? [first, second] : [second, first]
    const [earlyRoot, lateRoot] = first.nonce < second.nonce ? [one, two] : [two, one]
    expect(await anchorer.advance(lateRoot, late, never)).toMatchObject({
      detail: expect.stringContaining('before') as string
    })
    await advanced(anchorer, earlyRoot, early)
    await advanced(anchorer, lateRoot, late)
    await chain.mine()
    expect(anchorOf(await anchorer.advance(earlyRoot, early, never)).txHash).toBe(early.transactions[0]?.txHash)
    expect(anchorOf(await anchorer.advance(lateRoot, late, never)).txHash).toBe(late.transactions[0]?.txHash)
  })

  it('a draft that was lost before it was logged leaves its nonce to the same root, and in time to any', async () => {
    const [anchorer, one, two] = [anchorerOf(), newRoot(), newRoot()]
    const lost = await prepared(anchorer, one)
    // The very same transaction: were the lost one logged somewhere after all, it would not be paid for twice.
    expect(await prepared(anchorer, one)).toEqual(lost)
    const second = await prepared(anchorer, two)
    expect(second.nonce).toBe(lost.nonce + 1)
    expect(await anchorer.advance(two, second, never)).toMatchObject({ state: 'under-way' })
    await clock.advance(5 * 60_000)
    expect(await anchorer.advance(two, second, never)).toMatchObject({ state: 'failed', code: 'EVM_NONCE_GAP' })
    await clock.advance(6 * 60_000)
    expect((await prepared(anchorer, two)).nonce).toBe(lost.nonce)
  })

  it('carries the root to a contract, where there is one', async () => {
    const [contract, root] = [await chain.deployLogger(), newRoot()]
    const anchorer = anchorerOf(chain, { contract: `0x${contract.toUpperCase()}` })
    const sent = await advanced(anchorer, root, await prepared(anchorer, root))
    await chain.mine()
    const timestampAnchor = anchorOf(await anchorer.advance(root, sent, never))
    expect(timestampAnchor).toMatchObject({ carriedIn: 'calldata', contract })
    expect(await isValid(chain, timestampAnchor, root)).toBe(true)
    expect(await isValid(chain, { ...timestampAnchor, carriedIn: 'log' }, root)).toBe(true)
  })

  it('works on a chain from before EIP-1559', async () => {
    await using old = await startAnvil({ args: ['--hardfork', 'berlin'] })
    const [anchorer, root] = [anchorerOf(old), newRoot()]
    const draft = await prepared(anchorer, root)
    expect(Transaction.fromHex(draft.transactions[0]?.rawTx ?? '').type).toBe('legacy')
    const sent = await advanced(anchorer, root, draft)
    await clock.advance(3 * 60_000)
    const raised = await advanced(anchorer, root, sent)
    const resent = await advanced(anchorer, root, raised)
    await old.mine()
    const timestampAnchor = anchorOf(await anchorer.advance(root, resent, never))
    expect(timestampAnchor.txHash).toBe(raised.transactions[1]?.txHash)
    expect(await isValid(old, timestampAnchor, root)).toBe(true)
  })
})

describe('what goes wrong on the way', () => {
  it('raises the fee under the same nonce when no block takes it, and pays once', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    const sent = await advanced(anchorer, root, await prepared(anchorer, root))
    await clock.advance(3 * 60_000)
    const step = await anchorer.advance(root, sent, never)
    expect(step).toMatchObject({ state: 'under-way', retryAfterMs: 0 })
    const raised = draftOf(step)
    expect(raised.transactions.map(({ txHash }) => txHash)[0]).toBe(sent.transactions[0]?.txHash)
    const [before, after] = raised.transactions.map(({ rawTx }) => Transaction.fromHex(rawTx))
    expect(after?.raw.nonce).toBe(before?.raw.nonce)
    expect(after?.fee).toBeGreaterThan(before?.fee ?? 0n)
    // Nothing is sent that was not logged before.
    expect(await chain.rpc('eth_getTransactionByHash', after?.hash)).toBeNull()
    const resent = await advanced(anchorer, root, raised)
    await chain.mine()
    expect(anchorOf(await anchorer.advance(root, resent, never)).txHash).toBe(after?.hash.slice(2))
    expect(await countOf(chain)).toBe(sent.nonce + 1)
  })

  it('finds whichever of its transactions the chain took', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    const sent = await advanced(anchorer, root, await prepared(anchorer, root))
    await clock.advance(3 * 60_000)
    const raised = await advanced(anchorer, root, sent)
    await chain.mine()
    expect(anchorOf(await anchorer.advance(root, raised, never)).txHash).toBe(sent.transactions[0]?.txHash)
  })

  it('does not raise the fee for ever', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    let draft = await prepared(anchorer, root)
    for (let look = 0; look < 40; look += 1) {
      draft = await advanced(anchorer, root, draft)
      await clock.advance(3 * 60_000)
    }
    expect(draft.transactions).toHaveLength(9)
    expect(JSON.stringify(draft).length).toBeLessThan(32 * 1024)
    await chain.mine()
    expect(anchorOf(await anchorer.advance(root, draft, never)).txHash).toBe(draft.transactions.at(-1)?.txHash)
  })

  it('raises the fee when the node finds it too low', async () => {
    await using own = await startAnvil()
    const [anchorer, root] = [anchorerOf(own), newRoot()]
    const draft = await prepared(anchorer, root)
    await own.rpc('anvil_setNextBlockBaseFeePerGas', `0x${(10n ** 11n).toString(16)}`)
    await own.mine()
    const step = await anchorer.advance(root, draft, never)
    expect(step).toMatchObject({ detail: expect.stringContaining('raises the fee') as string })
    const resent = await advanced(anchorer, root, draftOf(step))
    await own.mine()
    expect(anchorOf(await anchorer.advance(root, resent, never)).txHash).toBe(resent.transactions[1]?.txHash)
  })

  it('fails only when another transaction surely has the nonce, and can then begin anew', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    await chain.mine(20)
    const draft = await prepared(anchorer, root)
    await chain.include({ data: '00', nonce: draft.nonce })
    expect(await anchorer.advance(root, draft, never)).toMatchObject({ state: 'under-way' })
    await chain.mine(11)
    expect(await anchorer.advance(root, draft, never)).toMatchObject({ state: 'under-way' })
    await chain.mine()
    expect(await anchorer.advance(root, draft, never)).toMatchObject({ state: 'failed', code: 'EVM_NONCE_GONE' })
    expect((await prepared(anchorer, root)).nonce).toBe(draft.nonce + 1)
  })

  it('does not outbid a transaction of the account that it knows nothing of', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    const draft = await prepared(anchorer, root)
    const other = await chain.send({ data: '00', nonce: draft.nonce })
    const step = await anchorer.advance(root, draft, never)
    expect(draftOf(step).transactions).toHaveLength(1)
    await chain.mine()
    expect(await chain.rpc('eth_getTransactionReceipt', `0x${other}`)).not.toBeNull()
  })

  it('finds the new block after a reorganisation', async () => {
    await using own = await startAnvil({ slotsInAnEpoch: 32 })
    await own.mine(3)
    const [anchorer, root] = [anchorerOf(own), newRoot()]
    const sent = await advanced(anchorer, root, await prepared(anchorer, root))
    await own.mine()
    const first = anchorOf(await anchorer.advance(root, sent, never))
    await own.reorganise(1)
    expect(await isValid(own, first, root)).toBe(false)
    const again = await advanced(anchorer, root, sent)
    await own.mine()
    const second = anchorOf(await anchorer.advance(root, again, never))
    expect(second).toEqual({ ...first, blockNumber: first.blockNumber + 1 })
    expect(await isValid(own, second, root)).toBe(true)
  })

  it('does not begin what the chain would refuse', async () => {
    const reverter = await chain.deploy(REVERTER_CODE)
    const refused = { state: 'failed', code: 'EVM_REFUSED', detail: expect.stringMatching(/\w/) as string }
    expect(await anchorerOf(chain, { contract: reverter }).prepare(newRoot(), never)).toMatchObject(refused)
    const poor = anchorerOf(chain, { privateKey: keyOf('11'.repeat(32)), contract: reverter })
    expect(await poor.prepare(newRoot(), never)).toMatchObject(refused)
  })

  it('says when its transaction was reverted', async () => {
    // A contract that changes its mind: replaced between draft and block.
    const contract = await chain.deployLogger()
    const [anchorer, root] = [anchorerOf(chain, { contract }), newRoot()]
    const sent = await advanced(anchorer, root, await prepared(anchorer, root))
    await chain.rpc('anvil_setCode', `0x${contract}`, '0x60006000fd')
    await chain.mine()
    expect(await anchorer.advance(root, sent, never)).toMatchObject({ state: 'failed', code: 'EVM_REVERTED' })
  })

  it('waits for the money', async () => {
    const privateKey = '22'.repeat(32)
    const [anchorer, root] = [anchorerOf(chain, { privateKey: keyOf(privateKey) }), newRoot()]
    const address = `0x${Transaction.prepare(
      { to: `0x${chain.address}`, value: 0n, nonce: 0n, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n },
      false
    )
      .signBy(privateKey)
      .sender.slice(2)}`
    await chain.rpc('anvil_setBalance', address, '0xde0b6b3a7640000')
    const draft = await prepared(anchorer, root)
    await chain.rpc('anvil_setBalance', address, '0x0')
    expect(await anchorer.advance(root, draft, never)).toMatchObject({
      state: 'under-way',
      detail: expect.stringMatching(/insufficient funds/i) as string
    })
    await chain.rpc('anvil_setBalance', address, '0xde0b6b3a7640000')
    const sent = await advanced(anchorer, root, draft)
    await chain.mine()
    expect(anchorOf(await anchorer.advance(root, sent, never)).txHash).toBe(draft.transactions[0]?.txHash)
  })

  it('goes to the next node when one is down, and waits when all are', async () => {
    const [root, down] = [newRoot(), await closedUrl()]
    const either = anchorerOf(chain, { urls: [down, chain.url] })
    const draft = await prepared(either, root)
    const sent = await advanced(either, root, draft)
    const none = anchorerOf(chain, { urls: [down] })
    expect(await none.prepare(root, never)).toMatchObject({ state: 'failed', code: 'PROVIDER_UNREACHABLE' })
    const waiting = await none.advance(root, sent, never)
    expect(waiting).toMatchObject({ state: 'under-way', draft: sent })
    await chain.mine()
    expect(anchorOf(await either.advance(root, sent, never)).txHash).toBe(draft.transactions[0]?.txHash)
    const other = createEvmAnchorer({
      chainId: 'eip155:1',
      urls: [chain.url],
      privateKey: keyOf(chain.privateKey),
      clock
    })
    expect(await other.prepare(root, never)).toMatchObject({ state: 'failed', code: 'PROVIDER_CHAIN' })
  })

  it('takes no draft of another root, chain or form', async () => {
    const [anchorer, root] = [anchorerOf(), newRoot()]
    const draft = await prepared(anchorer, root)
    const refused = { state: 'failed', code: 'EVM_DRAFT' }
    expect(await anchorer.advance(newRoot(), draft, never)).toMatchObject(refused)
    const [own] = draft.transactions
    const wrong: readonly JsonObject[] = [
      {},
      { ...draft, nonce: draft.nonce + 1 },
      { ...draft, transactions: [] },
      { ...draft, transactions: [{ ...own, txHash: newRoot() }] },
      { ...draft, transactions: [{ ...own, rawTx: `${own?.rawTx.slice(0, -64) ?? ''}${'ff'.repeat(32)}` }] },
      { ...draft, transactions: [{ ...own, rawTx: own?.rawTx.slice(2) ?? '' }] },
      { ...draft, sentAt: 'now' }
    ]
    for (const value of wrong) expect(await anchorer.advance(root, value, never)).toMatchObject(refused)
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom('nonce', 'transactions', 'preparedAt', 'sentAt'), fc.jsonValue()),
        async (value) => {
          expect(await anchorer.advance(root, value as JsonObject, never)).toMatchObject(refused)
        }
      )
    )
  })
})

describe('nodes that answer anything', () => {
  it('make no step throw, and no draft get lost', async () => {
    const [honest, root] = [anchorerOf(), newRoot()]
    const draft = await prepared(honest, root)
    const results = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('0x0', '0x1', '0xff', null, { error: { code: 3, message: 'no' } })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(results, { minLength: 1, maxLength: 8 }), async (answers) => {
        let asked = 0
        await using node = await startNode((method) => {
          asked += 1
          return method === 'eth_chainId' ? '0x7a69' : answers[asked % answers.length]
        })
        const anchorer = anchorerOf(chain, { urls: [node.url] })
        expect(['under-way', 'failed']).toContain((await anchorer.prepare(root, never)).state)
        const step = await anchorer.advance(root, draft, never)
        if (step.state === 'under-way') expect(draftOf(step).transactions[0]).toEqual(draft.transactions[0])
        else expect(step).toMatchObject({ state: 'failed', code: 'EVM_NONCE_GONE' })
      }),
      { numRuns: 100 }
    )
  })
})

describe('private keys', () => {
  it('are 64 hex digits', () => {
    const hex = '0123456789abcdef'.repeat(4)
    for (const text of [hex, `0x${hex}\n`, hex.toUpperCase()]) expect(parsePrivateKey(text)).toEqual(fromHex(hex))
    for (const text of ['', '0x', hex.slice(2), `${hex}00`, '0'.repeat(64), 'f'.repeat(64), 'z'.repeat(64)])
      expect(parsePrivateKey(text)).toBeNull()
  })
})
