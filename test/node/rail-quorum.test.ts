import { expect, test } from 'vitest'
import type { AttestationRow } from '../../src/projections/attested.ts'
import type { TimestampVerifier, VerifierResult } from '../../src/timestamps/verifier.ts'
import { MEMBERS, startFederation } from '../support/federation.ts'
import type { Federation } from '../support/federation.ts'
import { DEPTH, EVM_CHAIN, TSA_CHAIN } from '../support/real-rails.ts'
import { BATCH, anchored, everywhere, expectEqual, winnerOf, wins } from './rail-checks.ts'

const DIDS = MEMBERS.map(({ signer }) => signer.did)
const [MAKER, AUDITOR, ARCHIVE] = DIDS as [string, string, string]

/** What every node shows of the attestations of a signer, once it shows some. */
async function attestationsBy(federation: Federation, signer: string): Promise<readonly (readonly AttestationRow[])[]> {
  return await everywhere(
    federation,
    `an attestation by ${signer}`,
    async (node) => (await node.query('attestations', { ...BATCH, signer })).rows as readonly AttestationRow[],
    (rows) => rows.length > 0
  )
}

/** The verifier of the member answers otherwise. */
function insteadOf(orgId: string, answer: (verifier: TimestampVerifier) => Partial<TimestampVerifier>) {
  return (member: string, verifier: TimestampVerifier): TimestampVerifier =>
    member === orgId ? { ...verifier, ...answer(verifier) } : verifier
}

test('two of three are enough for each rail in turn; all three say the same at last', async () => {
  const federation = await startFederation({ k: 2 })
  const { maker, rails } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  await maker.anchor({ ...BATCH, rail: 'tsa' })
  const isSettledOn = (chainId: string) =>
    everywhere(
      federation,
      `${chainId} is settled by all`,
      winnerOf,
      ({ status, winner, quorum }) =>
        status === 'settled' && winner?.chainId === chainId && quorum?.attested.length === DIDS.length
    )
  await isSettledOn(TSA_CHAIN)
  await anchored(federation, 'evm', () => rails.anvil.mine(1 + DEPTH))
  for (const row of await isSettledOn(EVM_CHAIN))
    expect(row).toMatchObject({
      quorum: { k: 2, of: 3, attested: DIDS.toSorted(), contradicting: [], missing: [] },
      losers: [{ chainId: TSA_CHAIN, rule: 'rail' }]
    })
  await expectEqual(federation)

  // What was attested, and holds no more, is taken back by those who said it.
  await rails.anvil.reorganise(1 + DEPTH)
  await isSettledOn(TSA_CHAIN)
  for (const signer of DIDS) {
    const taken = await everywhere(
      federation,
      `${signer} takes it back`,
      async (node) => (await node.query('attestations', { ...BATCH, signer })).rows as readonly AttestationRow[],
      (rows) => rows.some(({ outcome }) => outcome === 'refuted')
    )
    for (const rows of taken)
      expect(rows.find(({ chainId }) => chainId === EVM_CHAIN)).toMatchObject({
        outcome: 'refuted',
        code: 'EVM_NOT_FOUND',
        standing: 'agrees',
        statements: 2
      })
  }
})

test('one that lies about what it verified is seen, by all, and does not count', async () => {
  const lie: VerifierResult = { outcome: 'valid', finality: {}, provenTime: 1, position: 1, evidence: {} }
  const federation = await startFederation({
    k: 2,
    verifier: insteadOf('archive', () => ({ verify: () => Promise.resolve(lie) }))
  })
  const { maker, nodes } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  await maker.anchor({ ...BATCH, rail: 'tsa' })
  const honest = { ...federation, nodes: nodes.slice(0, 2) }
  const rows = await everywhere(
    honest,
    'it is settled, and the lie is heard',
    winnerOf,
    ({ status, quorum }) => status === 'settled' && quorum?.contradicting.length === 1
  )
  for (const row of rows)
    expect(row.quorum).toEqual({
      k: 2,
      of: 3,
      attested: [MAKER, AUDITOR].toSorted(),
      contradicting: [ARCHIVE],
      missing: []
    })
  for (const [said] of await attestationsBy(honest, ARCHIVE))
    expect(said).toMatchObject({ outcome: 'verified', provenTime: 1, standing: 'contradicts' })
  // The liar itself is alone with what it says.
  expect(await winnerOf(nodes[2] ?? maker)).toMatchObject({ status: 'verified', quorum: { attested: [ARCHIVE] } })
})

test('one that says that good evidence is none is seen as well', async () => {
  const lie: VerifierResult = { outcome: 'invalid', code: 'TSA_CHAIN', detail: 'a lie' }
  const federation = await startFederation({
    k: 3,
    verifier: insteadOf('auditor', () => ({ verify: () => Promise.resolve(lie) }))
  })
  const { maker, nodes } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  await maker.anchor({ ...BATCH, rail: 'tsa' })
  const honest = { ...federation, nodes: nodes.filter((_node, index) => index !== 1) }
  const rows = await everywhere(
    honest,
    'the lie is heard',
    winnerOf,
    ({ quorum }) => quorum?.contradicting.length === 1 && quorum.attested.length === 2
  )
  for (const row of rows) expect(row).toMatchObject({ status: 'verified', quorum: { contradicting: [AUDITOR] } })
  for (const [said] of await attestationsBy(honest, AUDITOR))
    expect(said).toMatchObject({ outcome: 'refuted', code: 'TSA_CHAIN', standing: 'contradicts' })
})

test('one that can ask the chain only later is seen as late, and nobody waits for it', async () => {
  let isCutOff = true
  const federation = await startFederation({
    k: 2,
    verifier: insteadOf('archive', (verifier) => ({
      verify: async (request, signal) =>
        isCutOff
          ? { outcome: 'unreachable', code: 'PROVIDER_UNREACHABLE', retryAfterMs: 0 }
          : await verifier.verify(request, signal)
    }))
  })
  const { maker, nodes } = federation
  await maker.seal({ ...BATCH, receipts: ['one'] })
  await maker.anchor({ ...BATCH, rail: 'tsa' })
  const others = { ...federation, nodes: nodes.slice(0, 2) }
  const rows = await everywhere(others, 'it is settled', winnerOf, ({ status }) => status === 'settled')
  for (const row of rows)
    expect(row.quorum).toMatchObject({ attested: [MAKER, AUDITOR].toSorted(), missing: [ARCHIVE] })
  // Others' words make nothing verified here.
  expect(await winnerOf(nodes[2] ?? maker)).toMatchObject({ status: 'proposed', winner: null })

  isCutOff = false
  await wins(federation, TSA_CHAIN)
  for (const [said] of await attestationsBy(others, ARCHIVE))
    expect(said).toMatchObject({ outcome: 'verified', standing: 'agrees', late: true })
  const settled = await everywhere(federation, 'all attested', winnerOf, ({ quorum }) => quorum?.missing.length === 0)
  for (const row of settled) expect(row.status).toBe('settled')
  await expectEqual(federation)
})
