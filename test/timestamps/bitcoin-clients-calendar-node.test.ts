import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { encodeOtsProof, parseOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { pendingAttestations } from '../../protocols/bitcoin-evidence/v1/ots-upgrade.ts'
import type { OtsOperation } from '../../protocols/bitcoin-evidence/v1/ots-operation.ts'
import type { BitcoinTimestampAnchor } from '../../protocols/event/v1/timestamp-anchor.ts'
import { timestampAnchorProblem } from '../../protocols/event/v1/timestamp-anchor.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { AnchorStep } from '../../src/anchoring/anchorer.ts'
import { parseBitcoinProvider } from '../../src/policy/bitcoin-provider.ts'
import type { BitcoinProvider } from '../../src/timestamps/bitcoin/provider.ts'
import { createBitcoinVerifier } from '../../src/timestamps/bitcoin/verifier.ts'
import { createBitcoinProvider } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { BitcoinCoreAddress } from '../../src/timestamps/clients/bitcoin-rpc.ts'
import { createCalendarAnchorer } from '../../src/timestamps/clients/open-timestamps-anchorer.ts'
import type { OpenTimestampsAnchorer } from '../../src/timestamps/clients/open-timestamps-anchorer.ts'
import { OpenTimestampsCalendars } from '../../src/timestamps/clients/open-timestamps-calendars.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { describeBitcoind, startBitcoind } from '../support/bitcoind.ts'
import type { Bitcoind } from '../support/bitcoind.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { startLocalServer } from '../support/local-server.ts'
import type { LocalServer } from '../support/local-server.ts'
import { send, startCalendar, timestampOf } from './support/calendar.ts'
import type { Calendar } from './support/calendar.ts'

const NEVER = new AbortController().signal
const DEPTH = 2

const SHA256: OtsOperation = { name: 'sha256' }
/** Through nothing at all to what is in no block. */
const LIE: readonly OtsOperation[] = [SHA256, SHA256]
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
/** Through a transaction that is in no block: one input, and one output with the root. */
const FAIR_LIE: readonly OtsOperation[] = [
  { name: 'prepend', argument: bytes(`0100000001${'00'.repeat(37)}ffffffff01${'00'.repeat(8)}226a20`) },
  { name: 'append', argument: bytes('00000000') },
  SHA256,
  SHA256
]

type UnderWay = Extract<AnchorStep, { state: 'under-way' }>

function underWay(step: AnchorStep): UnderWay {
  if (step.state !== 'under-way') throw new Error(JSON.stringify(step))
  // A draft is logged as JSON, and stands there in at most 32 KiB.
  const text = JSON.stringify(step)
  expect(text.length).toBeLessThan(32 * 1024)
  return JSON.parse(text) as UnderWay
}

function complete(step: AnchorStep): Extract<BitcoinTimestampAnchor, { otsProof: unknown }> {
  if (step.state !== 'complete') throw new Error(JSON.stringify(step))
  return step.timestampAnchor as Extract<BitcoinTimestampAnchor, { otsProof: unknown }>
}

let roots = 0
function nextRoot(): string {
  roots += 1
  return sha256Hex(`root ${roots}`)
}

describeBitcoind('calendars of OpenTimestamps', () => {
  let node: Bitcoind
  let provider: BitcoinProvider
  beforeAll(async () => {
    node = await startBitcoind()
  })
  afterAll(() => node.stop())
  beforeEach(() => {
    const address = parseBitcoinProvider(node.providerAddress) as BitcoinCoreAddress
    provider = createBitcoinProvider(address, { network: 'regtest', folder: '.', clock: createHandClock() })
  })

  const anchorerOf = (calendars: readonly { url: string }[], providers = [provider]): OpenTimestampsAnchorer =>
    createCalendarAnchorer({
      network: 'regtest',
      calendars: calendars.map(({ url }) => url),
      providers,
      clock: createHandClock()
    })
  const verify = (timestampAnchor: BitcoinTimestampAnchor, batchRoot: string): Promise<VerifierResult> =>
    createBitcoinVerifier({ network: 'regtest', providers: [provider], k: 1 }).verify(
      { timestampAnchor, batchRoot, finality: { depth: DEPTH } },
      NEVER
    )
  const txidsOf = async (blockHash: string): Promise<string[]> =>
    ((await node.rpc('getblock', blockHash, 1)) as { tx: string[] }).tx

  /** A calendar that promises, and then says that what it makes of the commitment is the Merkle root of a block. */
  const startLiar = async (lie: readonly OtsOperation[]): Promise<LocalServer> => {
    const liar: LocalServer = await startLocalServer(({ url = '' }, body, response) => {
      if (url === '/digest') send(response, timestampOf(body, [], { kind: 'pending', uri: liar.url }))
      else send(response, timestampOf(bytes(url.replace('/timestamp/', '')), lie, { kind: 'bitcoin', height: 5 }))
    })
    return liar
  }

  it('make evidence that is verified once it is deep enough', async () => {
    await using calendar = await startCalendar(node)
    const anchorer = anchorerOf([calendar])
    const root = nextRoot()
    const promised = underWay(await anchorer.prepare(root, NEVER))
    expect(underWay(await anchorer.advance(root, promised.draft, NEVER)).draft).toEqual(promised.draft)
    const txid = await calendar.stamp()
    underWay(await anchorer.advance(root, promised.draft, NEVER))
    const [blockHash = ''] = await node.mine(1)
    const timestampAnchor = complete(await anchorer.advance(root, promised.draft, NEVER))
    expect(timestampAnchorProblem(timestampAnchor as never, 'anchor')).toBeNull()
    const { height } = await node.tip()
    expect(timestampAnchor).toMatchObject({ chainId: 'btc:regtest', txid, blockHash, blockHeight: height })
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'notYetFinal', depth: 0, needed: DEPTH })
    await node.mine(DEPTH)
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid', position: height })
    expect(await verify(timestampAnchor, nextRoot())).toMatchObject({ outcome: 'invalid', code: 'OTS_ROOT' })
  })

  it('put many roots into one transaction, wherever that stands in its block', async () => {
    await using calendar = await startCalendar(node)
    await using other = await startCalendar(node)
    const anchorer = anchorerOf([calendar])
    const drafts: { root: string; draft: UnderWay['draft'] }[] = []
    for (let count = 0; count < 7; count += 1) {
      const root = nextRoot()
      drafts.push({ root, draft: underWay(await anchorer.prepare(root, NEVER)).draft })
    }
    underWay(await anchorerOf([other]).prepare(nextRoot(), NEVER))
    const txids = [await calendar.stamp(), await other.stamp()]
    const [blockHash = ''] = await node.mine(1)
    expect((await txidsOf(blockHash)).slice(1).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      txids.toSorted((a, b) => (a < b ? -1 : 1))
    )
    await node.mine(DEPTH)
    for (const { root, draft } of drafts) {
      const timestampAnchor = complete(await anchorer.advance(root, draft, NEVER))
      expect(timestampAnchor.txid).toBe(txids[0])
      expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid' })
    }
  })

  it('are used all together: the first that delivers is enough, and what is missing does no harm', async () => {
    await using first = await startCalendar(node)
    await using second = await startCalendar(node)
    const anchorer = anchorerOf([first, { url: 'http://127.0.0.1:1' }, second])
    const root = nextRoot()
    const { draft } = underWay(await anchorer.prepare(root, NEVER))
    const proof = parseOtsProof(fromBase64url(draft['otsProof'] as string) as Uint8Array)
    expect(proof.ok && pendingAttestations(proof.proof).map(({ uri }) => uri)).toEqual([first.url, second.url])
    const txid = await second.stamp()
    await node.mine(1)
    const timestampAnchor = complete(await anchorer.advance(root, draft, NEVER))
    expect(timestampAnchor.txid).toBe(txid)
    // The earliest block, once both are there.
    await first.stamp()
    await node.mine(1)
    expect(complete(await anchorer.advance(root, draft, NEVER)).blockHeight).toBe(timestampAnchor.blockHeight)
    await node.mine(DEPTH)
    expect(await verify(timestampAnchor, root)).toMatchObject({ outcome: 'valid' })
  })

  it('wait for a provider that is behind or gone', async () => {
    await using calendar = await startCalendar(node)
    const root = nextRoot()
    const { draft } = underWay(await anchorerOf([calendar]).prepare(root, NEVER))
    await calendar.stamp()
    await node.mine(1)
    const behind: BitcoinProvider = {
      name: 'behind',
      place: () => Promise.resolve({ ok: true, value: { header: null, hashAtHeight: null, tipHeight: 1 } })
    }
    const asked = underWay(await anchorerOf([calendar], [behind]).advance(root, draft, NEVER))
    expect(asked.draft).not.toEqual(draft)
    const before = calendar.paths.length
    const gone = createBitcoinProvider(
      { kind: 'esplora', url: 'http://127.0.0.1:1' },
      { network: 'regtest', folder: '.', clock: createHandClock() }
    )
    underWay(await anchorerOf([calendar], [gone]).advance(root, asked.draft, NEVER))
    complete(await anchorerOf([calendar], [behind, gone, provider]).advance(root, asked.draft, NEVER))
    // What was kept is not asked for again.
    expect(calendar.paths).toHaveLength(before)
  })

  it.each([
    ['nothing', LIE],
    ['a transaction', FAIR_LIE]
  ])('come to nothing when they lie by %s, unless another one may still keep its promise', async (_what, lie) => {
    await using liar = await startLiar(lie)
    await using honest = await startCalendar(node)
    const root = nextRoot()
    const alone = underWay(await anchorerOf([liar]).prepare(root, NEVER))
    expect(await anchorerOf([liar]).advance(root, alone.draft, NEVER)).toMatchObject({
      state: 'failed',
      code: 'BTC_BRANCH'
    })
    const anchorer = anchorerOf([liar, honest])
    const both = underWay(await anchorer.prepare(root, NEVER))
    const later = underWay(await anchorer.advance(root, both.draft, NEVER))
    const txid = await honest.stamp()
    await node.mine(1)
    expect(complete(await anchorer.advance(root, later.draft, NEVER)).txid).toBe(txid)
  })

  it('find their transaction in another block when the first one is left behind', async () => {
    await using calendar = await startCalendar(node)
    const anchorer = anchorerOf([calendar])
    const root = nextRoot()
    const { draft } = underWay(await anchorer.prepare(root, NEVER))
    await calendar.stamp()
    await node.mine(1)
    const first = complete(await anchorer.advance(root, draft, NEVER))
    await node.mine(DEPTH)
    await node.reorganise(first.blockHash)
    expect(await verify(first, root)).toMatchObject({ outcome: 'invalid', code: 'BTC_NOT_BEST_CHAIN' })
    underWay(await anchorer.advance(root, draft, NEVER))
    await node.mine(1)
    const second = complete(await anchorer.advance(root, draft, NEVER))
    expect(second).toMatchObject({ txid: first.txid })
    expect(second.blockHash).not.toBe(first.blockHash)
    await node.mine(DEPTH)
    expect(await verify(second, root)).toMatchObject({ outcome: 'valid' })
  })

  it('upgrade the proof file of anybody', async () => {
    await using calendar: Calendar = await startCalendar(node)
    const calendars = new OpenTimestampsCalendars([calendar.url], createHandClock())
    const stamped = await calendars.stamp(new Uint8Array(sha256('a file')), NEVER)
    if (!('proof' in stamped)) throw new Error('not stamped')
    const promise = encodeOtsProof(stamped.proof)
    const early = await calendars.upgradeProof(promise, NEVER)
    expect(early).toEqual({ ok: true, proof: promise, changed: false, blockHeights: [], notAsked: [], failures: [] })
    await calendar.stamp()
    await node.mine(1)
    const upgraded = await calendars.upgradeProof(promise, NEVER)
    if (!upgraded.ok) throw new Error(upgraded.detail)
    expect(upgraded).toMatchObject({ changed: true, blockHeights: [(await node.tip()).height], failures: [] })
    expect(await calendars.upgradeProof(upgraded.proof, NEVER)).toMatchObject({ changed: false, proof: upgraded.proof })
  })
})
