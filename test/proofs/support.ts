import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import type { Proof } from '../../protocols/proof/v1/proof.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import type { BuiltProof } from '../../src/operations.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { checkProof } from '../../src/proofs/check-proof.ts'
import type { ProofCheck, ProofTrust } from '../../src/proofs/check-proof.ts'
import type { ProofReport } from '../../src/proofs/report.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import type { TestMember } from '../support/identities.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { rowOf } from '../verification/support.ts'

export const ALICE = member('alice', 'org-a')
export const BATCH = 'b-1'

/** Evidence of an authority that signs with its name: every byte of it counts, and the root alone makes it. */
export const stampOver = (batchRoot: string): JsonObject => ({
  chainId: 'rfc3161:stamp',
  token: toBase64url(utf8(`the stamp was here: ${batchRoot}`))
})

/** Checks such evidence. */
export const stampVerifier: TimestampVerifier = {
  name: 'stamp',
  handles: (chainId) => chainId === 'rfc3161:stamp',
  verify({ timestampAnchor, batchRoot }) {
    const token = 'token' in timestampAnchor ? timestampAnchor.token : null
    if (token !== null && typeof token !== 'string')
      return Promise.resolve({ outcome: 'unreachable', code: 'EVIDENCE_MISSING', retryAfterMs: 0 })
    if (token !== stampOver(batchRoot)['token'])
      return Promise.resolve({ outcome: 'invalid', code: 'TSA_IMPRINT', detail: 'a stamp over something else' })
    return Promise.resolve({ outcome: 'valid', finality: {}, provenTime: 9_000, position: 9_000, evidence: {} })
  }
}

const keyring = new Keyring()

/** A reader who knows the stamp, and of keys what a did:key says itself. */
export const READER: ProofTrust = {
  verifiers: [stampVerifier],
  finality: () => ({}),
  findKeys: (signer, kid) => keyring.find(signer, kid, undefined),
  orgOf: () => undefined
}

/** A node of `ALICE` that checks stamps, and more where it is given more. */
export async function openProver(verifiers: readonly TimestampVerifier[] = [stampVerifier]): Promise<AnchormeshNode> {
  return await openNodeOf(ALICE, [ALICE], verifiers)
}

export async function openNodeOf(
  self: TestMember,
  members: readonly TestMember[],
  verifiers: readonly TimestampVerifier[],
  blobs?: Store,
  clock: Clock = createVirtualClock({ settle: settled })
): Promise<AnchormeshNode> {
  const node = await createNode(
    { policy: policyOf(self, members), signer: self.signer, version: 'test' },
    {
      store: await openMemoryStore(),
      blobs: blobs ?? (await openMemoryStore()),
      checkpoint: memoryCheckpoint(),
      clock,
      random: seededRandom(self.orgId),
      logger: silentLogger,
      verifiers
    }
  )
  await node.start()
  return node
}

/** Seals so many receipts as the batch; answers the root and the leaf hashes. */
export async function sealed(
  node: AnchormeshNode,
  count: number
): Promise<{ readonly root: string; readonly leaves: readonly string[] }> {
  const receipts = Array.from({ length: count }, (_, index) => ({ invoice: index, text: 'zwölf "€"\n' }))
  const { batchRoot } = await node.seal({ namespace: NAMESPACE, batchId: BATCH, receipts })
  const leaves: string[] = []
  for await (const { leafHash } of node.proofs(NAMESPACE, BATCH)) leaves.push(leafHash)
  return { root: batchRoot, leaves }
}

export async function announce(node: AnchormeshNode, timestampAnchors: readonly JsonObject[]): Promise<void> {
  await node.announce({ namespace: NAMESPACE, batchId: BATCH, timestampAnchors })
}

/** Waits until the evidence on a chain was judged so. */
export async function judged(node: AnchormeshNode, chainId: string, status: string): Promise<void> {
  await rowOf(node, 'timestamp-anchors', (row) => row['chainId'] === chainId && row['status'] === status)
}

export const prove = (node: AnchormeshNode, leafHash: string): Promise<BuiltProof> =>
  node.proof({ namespace: NAMESPACE, batchId: BATCH, leafHash })

export const check = (text: string, trust: ProofTrust = READER): Promise<ProofCheck> =>
  checkProof(utf8(text), trust, new AbortController().signal)

export async function report(text: string, trust: ProofTrust = READER): Promise<ProofReport> {
  const checked = await check(text, trust)
  if (!checked.ok) throw new Error(`${checked.code}: ${checked.detail}`)
  return checked.report
}

/** The file with some members of it changed. */
export function changed(text: string, change: (proof: Proof) => object): string {
  const proof = JSON.parse(text) as Proof
  return JSON.stringify({ ...proof, ...change(proof) })
}
