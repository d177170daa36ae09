import { afterEach, expect, test } from 'vitest'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import type { SigningGate } from '../../src/authoring/author.ts'
import { Author } from '../../src/authoring/author.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { EvidenceIdentity, Finding } from '../../src/timestamps/verdict.ts'
import { verdictEvent } from '../../src/timestamps/verdict.ts'
import { Attester } from '../../src/verification/attester.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet, reopen } from '../node/nodes.ts'
import { evidenceIn } from '../projections/support/evidence.ts'
import { allRows, sharedEntry } from '../projections/support/ledger.ts'
import { otherwise, verdictOn, verified } from '../projections/support/winner-model.ts'
import { attestationBody, packKeySigner, signedBy } from '../projections/support/world.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import type { Ingest } from '../support/ingest.ts'
import { openIngest } from '../support/ingest.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { settled } from '../support/settled.ts'
import { until } from '../support/until.ts'
import { BTC, EVM, scriptedVerifier, unreachable, valid } from './support.ts'

const [ALICE, BERTA, CARL] = ['alice', 'berta', 'carl'].map((name) => member(name)) as [
  TestMember,
  TestMember,
  TestMember
]
const EVERYBODY = [ALICE, BERTA, CARL]
const quorumOf = (self: TestMember, k: number, ...of: readonly TestMember[]): EffectivePolicy =>
  policyOf(self, EVERYBODY, { quorum: { k, of } })

const attesters = new Set<Attester>()
const nodes: MemoryNode[] = []

afterEach(async () => {
  for (const attester of attesters) await attester.stop()
  attesters.clear()
  for (const { node } of nodes.splice(0)) await node.close()
})

interface Attesting {
  readonly attester: Attester
  readonly published: string[]
}

function attesting(ingest: Ingest, { gate, perMinute }: { gate?: SigningGate; perMinute?: number } = {}): Attesting {
  const { log, engine, store, clock, door } = ingest
  const author = gate === undefined ? ingest.author : new Author({ signer: () => ALICE.signer, log, door, clock, gate })
  const published: string[] = []
  const attester = new Attester({
    author,
    publish: async ({ id }) => void published.push(id),
    log,
    engine,
    store,
    policy: () => ingest.policy,
    clock,
    logger: recordingLogger(ingest.lines),
    ...(perMinute === undefined ? {} : { perMinute })
  })
  attesters.add(attester)
  attester.start()
  return { attester, published }
}

const judge = async ({ log, clock }: Ingest, identity: EvidenceIdentity, finding: Finding): Promise<void> => {
  const event = verdictEvent(clock.now(), verdictOn(identity, finding, quorumOf(ALICE, 1, ALICE)))
  await log.append([{ scope: 'local', event }])
}

/** Announces the anchors; what names them. */
async function announced({ author }: Ingest, ...anchors: readonly JsonObject[]): Promise<EvidenceIdentity[]> {
  const { wire } = await author.author('announce', NAMESPACE, {
    ...announceBody('batch-1'),
    timestampAnchors: anchors
  })
  const decoded = decodeEvent(wire)
  if (!decoded.ok) throw new Error(decoded.detail)
  return evidenceIn(decoded.event, () => ALICE.orgId)
}

/** What the attestations of the node's own say, once nothing is due any more. */
async function said(ingest: Ingest): Promise<unknown[]> {
  for (let turn = 0; turn < 20; turn += 1) await settled()
  const rows = await ingest.rows('attestations')
  return rows.map(({ chainId, outcome, code, position, finality, statements }) =>
    [chainId, outcome, code ?? position, finality, statements].filter((value) => value !== null)
  )
}

const first = <Item>([item]: readonly Item[]): Item => {
  if (item === undefined) throw new Error('there is none')
  return item
}

const final = (finding: Finding, finality: JsonObject): Finding => ({ ...finding, evidence: { finality } })

test('what is verified is attested once; what is invalid, or holds no more, is refuted; what can not be asked is left as it is', async () => {
  const ingest = await openIngest(ALICE, EVERYBODY, { policy: quorumOf(ALICE, 1, ALICE) })
  const { published } = attesting(ingest)
  const [btc, evm] = (await announced(ingest, BTC, EVM)) as [EvidenceIdentity, EvidenceIdentity]
  const steps: readonly (readonly [EvidenceIdentity, Finding, unknown[]])[] = [
    [btc, otherwise('pending'), []],
    [btc, otherwise('unreachable', 'PROVIDER_TIMEOUT'), []],
    [btc, final(verified(7, 9_000), { depth: 6 }), [['btc:mainnet', 'verified', 7, { depth: 6 }, 1]]],
    [btc, final(verified(7, 9_000), { depth: 90 }), [['btc:mainnet', 'verified', 7, { depth: 6 }, 1]]],
    [btc, otherwise('unreachable', 'PROVIDERS_DISAGREE'), [['btc:mainnet', 'verified', 7, { depth: 6 }, 1]]],
    [btc, otherwise('pending'), [['btc:mainnet', 'refuted', 'NOT_FINAL', 2]]],
    [btc, final(verified(8, 9_001), { odd: true }), [['btc:mainnet', 'verified', 8, 3]]],
    [btc, otherwise('invalid', 'BTC_NOT_BEST_CHAIN'), [['btc:mainnet', 'refuted', 'BTC_NOT_BEST_CHAIN', 4]]],
    [btc, otherwise('invalid', 'BTC_POW'), [['btc:mainnet', 'refuted', 'BTC_NOT_BEST_CHAIN', 4]]],
    [
      evm,
      otherwise('invalid', 'EVM_REVERTED'),
      [
        ['btc:mainnet', 'refuted', 'BTC_NOT_BEST_CHAIN', 4],
        ['eip155:1', 'refuted', 'EVM_REVERTED', 1]
      ]
    ]
  ]
  for (const [identity, finding, expected] of steps) {
    await judge(ingest, identity, finding)
    expect(await said(ingest)).toEqual(expected)
  }
  expect(published).toHaveLength(5)
})

test('after a stop it goes on where it was, and says nothing twice', async () => {
  const ingest = await openIngest(ALICE, EVERYBODY, { policy: quorumOf(ALICE, 1, ALICE) })
  const before = attesting(ingest)
  const [btc, evm] = (await announced(ingest, BTC, EVM)) as [EvidenceIdentity, EvidenceIdentity]
  await judge(ingest, btc, verified(7, 9_000))
  await said(ingest)
  await before.attester.stop()
  await judge(ingest, evm, verified(9, 5_000))
  expect(await said(ingest)).toHaveLength(1)
  const after = attesting(ingest)
  expect(await said(ingest)).toHaveLength(2)
  expect([before.published.length, after.published.length]).toEqual([1, 1])
})

test('nobody says what nobody asked: a node that is of no quorum, a chain that policy does not list', async () => {
  for (const [policy, anchor] of [
    [quorumOf(ALICE, 1, BERTA), BTC],
    [policyOf(ALICE, EVERYBODY), BTC],
    [quorumOf(ALICE, 1, ALICE), { ...EVM, chainId: 'eip155:5' }]
  ] as const) {
    const ingest = await openIngest(ALICE, EVERYBODY, { policy })
    const { attester } = attesting(ingest)
    await judge(ingest, first(await announced(ingest, anchor)), verified(7, 9_000))
    expect(await said(ingest)).toEqual([])
    await attester.stop()
    await ingest.close()
  }
})

test('while the own chain is not whole here nothing is signed; it is tried again, and not when it came back meanwhile', async () => {
  const ingest = await openIngest(ALICE, EVERYBODY, { policy: quorumOf(ALICE, 1, ALICE) })
  const [btc, evm] = (await announced(ingest, BTC, EVM)) as [EvidenceIdentity, EvidenceIdentity]
  let behind = true
  const gate: SigningGate = {
    ready: () =>
      behind ? Promise.reject(new AnchormeshError('OWN_CHAIN_BEHIND', 'peers hold more')) : Promise.resolve(),
    signing() {},
    signed() {}
  }
  const { published } = attesting(ingest, { gate })
  await judge(ingest, btc, verified(7, 9_000))
  await judge(ingest, evm, verified(9, 5_000))
  expect(await said(ingest)).toEqual([])
  expect(ingest.lines.filter(({ level }) => level === 'warn').length).toBeGreaterThan(0)
  // What this node said before it lost its store.
  await ingest.author.author('attestation', NAMESPACE, attestationBody(btc, { position: 7, provenTime: 9_000 }))
  behind = false
  await ingest.clock.advance(30_000)
  expect((await said(ingest)).map((row) => (row as unknown[])[0])).toEqual(['btc:mainnet', 'eip155:1'])
  expect(published).toHaveLength(1)
})

test('what an older kid said at a later time is outlasted, not repeated in vain', async () => {
  const ingest = await openIngest(ALICE, EVERYBODY, { policy: quorumOf(ALICE, 1, ALICE) })
  const { published } = attesting(ingest)
  const btc = first(await announced(ingest, BTC))
  const older = packKeySigner(ALICE, 0, 0)
  const template = await next(ALICE, null, attestationBody(btc, null), { type: 'attestation' })
  const ahead = await signedBy([older], {
    ...template.envelope,
    kid: older.kid,
    ts: ingest.clock.now() + 20_000
  })
  await ingest.log.append([sharedEntry(ahead)])
  await judge(ingest, btc, verified(7, 9_000))
  expect(await said(ingest)).toEqual([['btc:mainnet', 'refuted', 'BTC_NOT_BEST_CHAIN', 1]])
  await ingest.clock.advance(30_000)
  expect(await said(ingest)).toEqual([['btc:mainnet', 'verified', 7, 2]])
  expect(published).toHaveLength(1)
})

test('no more is said in a minute than was set', async () => {
  const ingest = await openIngest(ALICE, EVERYBODY, { policy: quorumOf(ALICE, 1, ALICE) })
  const anchors = Array.from({ length: 16 }, (_, index) => ({
    chainId: 'rfc3161:tsa',
    token: Buffer.from(`token ${index}`).toString('base64url')
  }))
  for (const identity of await announced(ingest, ...anchors)) await judge(ingest, identity, verified(7, 9_000))
  const { published } = attesting(ingest, { perMinute: 10 })
  await until('as many are said as may be', () => published.length === 10)
  await said(ingest)
  expect(published).toHaveLength(10)
  await ingest.clock.advance(60_000)
  await until('all are said', () => published.length === 16)
  expect(await said(ingest)).toHaveLength(16)
})

test('nodes that verify by themselves attest each other over the mesh, and settle equally; a stopped one says nothing twice', async () => {
  const hub = createMemoryHub()
  const clock = createVirtualClock({ settle: settled })
  const open = async (self: TestMember): Promise<MemoryNode> => {
    const verifier = scriptedVerifier()
    verifier.script('btc:mainnet', ...(self === BERTA ? [unreachable] : []), valid(7, 9_000))
    verifier.script('eip155:1', valid(9, 5_000))
    const policy = quorumOf(self, 2, ALICE, BERTA, CARL)
    return await openNode(self, EVERYBODY, { policy, hub, ports: { clock }, verifiers: [verifier] })
  }
  const [alice, berta] = [await open(ALICE), await open(BERTA)]
  nodes.push(alice, berta)
  const calm = async (): Promise<void> => {
    for (let turn = 0; turn < 12; turn += 1) {
      await hub.drain()
      await clock.advance(10_000)
      await quiet(alice, berta)
    }
  }
  await calm()
  const event = await next(
    ALICE,
    null,
    { ...announceBody('batch-1'), timestampAnchors: [EVM, BTC] },
    { ts: clock.now() }
  )
  await alice.node.submit(event.wire)
  await calm()
  for (const { node } of [alice, berta]) {
    expect(await allRows(node, 'winners')).toMatchObject([
      {
        status: 'settled',
        winner: { chainId: 'btc:mainnet' },
        losers: [{ chainId: 'eip155:1', rule: 'rail' }],
        quorum: {
          k: 2,
          of: 3,
          attested: [ALICE, BERTA].map(({ signer }) => signer.did).sort(),
          contradicting: [],
          missing: [CARL.signer.did]
        }
      }
    ])
    expect((await allRows(node, 'attestations')).map(({ standing, statements }) => [standing, statements])).toEqual(
      Array.from({ length: 4 }, () => ['agrees', 1])
    )
  }
  const digests = [await alice.node.digest(NAMESPACE), await berta.node.digest(NAMESPACE)]
  expect(digests[1]?.winners).toEqual(digests[0]?.winners)
  expect(digests[1]?.state).toBe(digests[0]?.state)
  const again = await reopen(alice, { ports: { clock } })
  nodes[0] = again
  await again.node.start()
  for (let turn = 0; turn < 5; turn += 1) {
    await clock.advance(10_000)
    await quiet(again, berta)
  }
  expect((await allRows(again.node, 'attestations')).map(({ statements }) => statements)).toEqual([1, 1, 1, 1])
})
