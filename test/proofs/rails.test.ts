import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { fromHex, toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import type { Proof, ProvenAnchor } from '../../protocols/proof/v1/proof.ts'
import { proofVerifiers } from '../../src/cli/proof-verifiers.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { EffectivePolicy, TsaPolicy } from '../../src/policy/policy.ts'
import { authorityPolicy } from '../../src/policy/policy-view.ts'
import type { ProofTrust } from '../../src/proofs/check-proof.ts'
import type { ProofReport, ProofStep } from '../../src/proofs/report.ts'
import type { BitcoinProvider } from '../../src/timestamps/bitcoin/provider.ts'
import { createBitcoinVerifier } from '../../src/timestamps/bitcoin/verifier.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { requestTimestamp } from '../../src/timestamps/clients/rfc3161-client.ts'
import { createRfc3161Verifier } from '../../src/timestamps/rfc3161/verifier.ts'
import {
  blockBranch,
  blockRoot,
  hash256,
  header,
  opReturn,
  payment,
  printed,
  transaction
} from '../protocols/vectors/bitcoin-parts.ts'
import { READER, announce, changed, judged, openProver, prove, report, sealed } from './support.ts'

const closing: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function prover(...verifiers: Parameters<typeof openProver>): Promise<AnchormeshNode> {
  const node = await openProver(...verifiers)
  closing.push(() => node.close())
  return node
}

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array()

/** A reader with these roots for every authority, and these files of headers. */
async function reader(tsaPolicy: TsaPolicy | undefined, headerFiles: readonly string[] = []): Promise<ProofTrust> {
  const verifiers = await proofVerifiers({
    authorities: () => tsaPolicy,
    headerFiles,
    networks: null,
    clock: systemClock
  })
  return {
    ...READER,
    ...verifiers,
    finality: (_namespace, chainId) => (chainId.startsWith('btc:') ? { depth: 6 } : {})
  }
}

const anchorStep = ({ steps }: ProofReport): ProofStep | undefined =>
  steps.find(({ step }) => step === 'timestamp-anchor')

test('a proof names networks and authorities as it likes, by what every object has too', async () => {
  const { verifiers } = await proofVerifiers({
    authorities: (tsa) => authorityPolicy({ rails: { rfc3161: {} } } as unknown as EffectivePolicy, tsa),
    headerFiles: [],
    networks: { folder: '.', rails: {} },
    clock: systemClock
  })
  expect(verifiers.filter((verifier) => verifier.handles('btc:constructor'))).toEqual([])
  const tokens = verifiers.find((verifier) => verifier.handles('rfc3161:constructor'))
  const timestampAnchor = { chainId: 'rfc3161:constructor', token: 'AAAA' }
  const request = { timestampAnchor, batchRoot: 'ab'.repeat(32), finality: {} }
  expect(await tokens?.verify(request, new AbortController().signal)).toMatchObject({ code: 'ROOTS_MISSING' })
})

describe('tokens of a time-stamping authority', () => {
  interface Authority {
    readonly policy: TsaPolicy
    stamp(batchRoot: string): Promise<JsonObject>
  }

  async function authority(): Promise<Authority> {
    const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
    closing.push(() => tsa.close())
    const root = toBase64url(new Uint8Array(new X509Certificate(tsa.rootCertificatePem).raw))
    return {
      policy: { roots: [root], certificates: [], policies: [] },
      async stamp(batchRoot) {
        const asked = { url: tsa.url, root: bytesOf(batchRoot), tsa: 'dev', random: systemRandom, clock: systemClock }
        const result = await requestTimestamp({ ...asked, timeoutMs: 10_000 })
        if (!result.ok) throw new Error(result.detail)
        return { chainId: 'rfc3161:dev', token: toBase64url(result.token) }
      }
    }
  }

  test('seal, stamp, announce, prove, and check with the root of the authority alone', async () => {
    const tsa = await authority()
    const other = await authority()
    const node = await prover([createRfc3161Verifier(() => tsa.policy)])
    const { root, leaves } = await sealed(node, 5)
    await announce(node, [await tsa.stamp(root)])
    await judged(node, 'rfc3161:dev', 'verified')
    const built = await prove(node, leaves[3] ?? '')
    expect(built).toMatchObject({ standing: 'proven', chainId: 'rfc3161:dev' })

    const found = await report(built.proof, await reader(tsa.policy))
    expect(found).toMatchObject({ overall: 'proven', chainId: 'rfc3161:dev', provenTime: built.provenTime })
    const rootless = await report(built.proof, await reader(undefined))
    expect(rootless).toMatchObject({ overall: 'undecided', provenTime: null })
    expect(anchorStep(rootless)).toMatchObject({ outcome: 'undecided', code: 'ROOTS_MISSING' })
    const elsewhere = await report(built.proof, await reader(other.policy))
    expect(anchorStep(elsewhere)).toMatchObject({ outcome: 'failed', code: 'TSA_CHAIN' })
  })

  test('a token over another root, announced in good order, proves nothing', async () => {
    const tsa = await authority()
    // A node that knows no roots can't tell, and writes the file with what it did not check.
    const node = await prover([createRfc3161Verifier(() => undefined)])
    const { leaves } = await sealed(node, 2)
    await announce(node, [await tsa.stamp('ab'.repeat(32))])
    const built = await prove(node, leaves[0] ?? '')
    expect(built).toMatchObject({ standing: 'unproven', reason: 'unverified' })
    const found = await report(built.proof, await reader(tsa.policy))
    expect(anchorStep(found)).toMatchObject({ outcome: 'failed', code: 'TSA_IMPRINT' })
    expect(found.overall).toBe('failed')
  })
})

describe('Bitcoin', () => {
  const HEIGHT = 100

  /** A block of the network regtest that carries the root, and what the evidence for it is. */
  function blockOver(batchRoot: string): { readonly header: Buffer; readonly anchor: JsonObject } {
    const rawTx = transaction({ outputs: [payment('a'), { satoshis: 0n, script: opReturn(bytesOf(batchRoot)) }] })
    const hashes = [hash256(Buffer.from('a coinbase')), hash256(rawTx), hash256(Buffer.from('another'))]
    const block = header(blockRoot(hashes))
    const anchor = {
      chainId: 'btc:regtest',
      txid: printed(hash256(rawTx)),
      blockHash: printed(hash256(block)),
      blockHeight: HEIGHT,
      rawTx: toBase64url(rawTx),
      txIndex: 1,
      merkleBranch: blockBranch(hashes, 1).map(printed)
    }
    return { header: block, anchor }
  }

  /** Sees the block so deep in its best chain. */
  const seeing = (block: Buffer, depth: number): BitcoinProvider => ({
    name: 'a node',
    place: (blockHash) =>
      Promise.resolve({ ok: true, value: { header: block, hashAtHeight: blockHash, tipHeight: HEIGHT + depth } })
  })

  function headersFile(lines: readonly (readonly [height: number, header: Buffer])[]): string {
    const folder = mkdtempSync(join(tmpdir(), 'anchormesh-test-'))
    closing.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'headers.txt')
    writeFileSync(file, lines.map(([height, bytes]) => `${height} ${toHex(bytes)}\n`).join(''))
    return file
  }

  const LATER = header(hash256(Buffer.from('later')))

  async function proven(
    depth = 6
  ): Promise<{ readonly proof: string; readonly header: Buffer; readonly standing: string }> {
    const waiting: { provider?: BitcoinProvider } = {}
    const place: BitcoinProvider['place'] = (...asked) =>
      waiting.provider?.place(...asked) ?? Promise.reject(new Error('not yet'))
    const node = await prover([
      createBitcoinVerifier({ network: 'regtest', providers: [{ name: 'a node', place }], k: 1 })
    ])
    const { root, leaves } = await sealed(node, 3)
    const block = blockOver(root)
    waiting.provider = seeing(block.header, depth)
    await announce(node, [block.anchor])
    await judged(node, 'btc:regtest', depth >= 6 ? 'verified' : 'pending')
    const built = await prove(node, leaves[1] ?? '')
    return { proof: built.proof, header: block.header, standing: `${built.standing} ${built.reason}` }
  }

  test('with headers that the reader knows it is proven; without, it holds together and is undecided', async () => {
    const { proof, header: block, standing } = await proven()
    expect(standing).toBe('proven verified')
    const [anchor] = (JSON.parse(proof) as Proof).timestampAnchors
    expect(anchor?.supplement).toEqual({ header: toHex(block) })

    const known = await report(
      proof,
      await reader(undefined, [
        headersFile([
          [HEIGHT, block],
          [HEIGHT + 6, LATER]
        ])
      ])
    )
    expect(known).toMatchObject({ overall: 'proven', chainId: 'btc:regtest', provenTime: 1_700_000_000_000 })

    const alone = await report(proof, await reader(undefined))
    expect(anchorStep(alone)).toMatchObject({ outcome: 'undecided', code: 'CHAIN_UNCHECKED' })
    expect(alone).toMatchObject({ overall: 'undecided', provenTime: null })
  })

  test('a policy that asks for no depth makes no proof of a header that only the file has', async () => {
    const { proof } = await proven()
    const trust = { ...(await reader(undefined)), finality: () => ({ depth: 0 }) }
    expect(anchorStep(await report(proof, trust))).toMatchObject({ outcome: 'undecided', code: 'CHAIN_UNCHECKED' })
  })

  test('a block that is not deep enough is pending here, and not proven there', async () => {
    const { proof, header: block, standing } = await proven(2)
    expect(standing).toBe('unproven not-final')
    const shallow = await report(
      proof,
      await reader(undefined, [
        headersFile([
          [HEIGHT, block],
          [HEIGHT + 2, LATER]
        ])
      ])
    )
    expect(anchorStep(shallow)).toMatchObject({ outcome: 'undecided', code: 'NOT_FINAL' })
    expect(shallow.overall).toBe('undecided')
  })

  test('headers that leave the block out decide nothing; another block in its place refutes it', async () => {
    const { proof } = await proven()
    const leftOut = await report(proof, await reader(undefined, [headersFile([[HEIGHT + 6, LATER]])]))
    expect(anchorStep(leftOut)).toMatchObject({ outcome: 'undecided', code: 'CHAIN_UNCHECKED' })
    const other = header(hash256(Buffer.from('other')))
    const replaced = await report(
      proof,
      await reader(undefined, [
        headersFile([
          [HEIGHT, other],
          [HEIGHT + 6, LATER]
        ])
      ])
    )
    expect(anchorStep(replaced)).toMatchObject({ outcome: 'failed', code: 'BTC_NOT_BEST_CHAIN' })
    expect(replaced.overall).toBe('failed')
  })

  test('a missing header leaves it undecided, the header of another block fails', async () => {
    const { proof, header: block } = await proven()
    const withHeader = (bytes: Uint8Array | null) =>
      changed(proof, ({ timestampAnchors: [anchor] }) => {
        const { timestampAnchor } = anchor as ProvenAnchor
        return {
          timestampAnchors: [
            bytes === null ? { timestampAnchor } : { timestampAnchor, supplement: { header: toHex(bytes) } }
          ]
        }
      })
    const missing = await report(withHeader(null), await reader(undefined))
    expect(anchorStep(missing)).toMatchObject({ outcome: 'undecided', code: 'CHAIN_UNCHECKED' })
    expect(missing.overall).toBe('undecided')
    const another = await report(withHeader(LATER), await reader(undefined))
    expect(anchorStep(another)).toMatchObject({ outcome: 'failed', code: 'TIMESTAMP_ANCHOR' })
    // Headers of the reader's own make up for a missing one, and do not hide a wrong one.
    const known = await reader(undefined, [
      headersFile([
        [HEIGHT, block],
        [HEIGHT + 6, LATER]
      ])
    ])
    expect((await report(withHeader(null), known)).overall).toBe('proven')
    expect((await report(withHeader(LATER), known)).overall).toBe('failed')
  })

  test('evidence that carries another root fails by itself, with a header and without one', async () => {
    const node = await prover([])
    const { leaves } = await sealed(node, 2)
    await announce(node, [blockOver('ab'.repeat(32)).anchor])
    const built = await prove(node, leaves[0] ?? '')
    expect(built).toMatchObject({ standing: 'unproven', reason: 'unverified' })
    const found = await report(built.proof, await reader(undefined))
    expect(anchorStep(found)).toMatchObject({ outcome: 'failed', code: 'BTC_ROOT_NOT_FOUND' })
    expect(found.overall).toBe('failed')
  })
})
