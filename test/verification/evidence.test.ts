import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { EVIDENCE_BLOB_BYTES_MAX } from '../../src/verification/evidence.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { member, policyOf } from '../support/identities.ts'
import { BTC, EVM, anchorRow, scriptedVerifier, startWorker, valid } from './support.ts'

const ALICE = member('alice')
const POLICY = policyOf(ALICE, [ALICE])

const { otsProof: _proof, ...BITCOIN } = BTC
const withTransaction = (rawTx: string | { readonly blob: string }): JsonObject => ({
  ...BITCOIN,
  rawTx,
  txIndex: 0,
  merkleBranch: []
})

/** What the verifier is given for the announced anchor, with these blobs here. */
async function asked(anchor: JsonObject, ...blobs: { readonly hash: string; readonly bytes: Uint8Array }[]) {
  const ledger = await openLedger({ policy: POLICY })
  const held = new BlobStore(await openMemoryStore())
  await held.put(blobs, { sync: false })
  const verifier = scriptedVerifier()
  const chainId = String(anchor['chainId'])
  verifier.script(chainId, valid(7, 9_000))
  await ledger.append(await next(ALICE, null, { ...announceBody('batch-1'), timestampAnchors: [anchor] }))
  const worker = startWorker(ledger, verifier, POLICY, undefined, held)
  await anchorRow(ledger, chainId, 'verified')
  await worker.stop()
  return verifier.requests[0]?.timestampAnchor
}

const BYTES = Buffer.from('evidence')
const HASH = sha256Hex(BYTES)
const INLINE = BYTES.toString('base64url')
const HELD = { hash: HASH, bytes: BYTES }

test.each<[what: string, byHash: JsonObject, inFull: JsonObject]>([
  ['a transaction', withTransaction({ blob: HASH }), withTransaction(INLINE)],
  ['a proof', { ...BTC, otsProof: { blob: HASH } }, { ...BTC, otsProof: INLINE }],
  ['a token', { chainId: 'rfc3161:tsa', token: { blob: HASH } }, { chainId: 'rfc3161:tsa', token: INLINE }]
])('%s that stands by its hash is handed to the verifier in full where it is held', async (_what, byHash, inFull) => {
  expect(await asked(byHash, HELD)).toEqual(inFull)
  expect(await asked(byHash)).toEqual(byHash)
})

test('what stands inline, or has no such evidence, is handed on as it is', async () => {
  expect(await asked(withTransaction(INLINE), HELD)).toEqual(withTransaction(INLINE))
  expect(await asked(EVM)).toEqual(EVM)
})

test('bytes that are not those of the hash, and more than a verifier should read, are not evidence', async () => {
  const byHash = withTransaction({ blob: HASH })
  expect(await asked(byHash, { hash: HASH, bytes: Buffer.from('something else') })).toEqual(byHash)
  const large = Buffer.alloc(EVIDENCE_BLOB_BYTES_MAX)
  const largest = { hash: sha256Hex(large), bytes: large }
  expect(await asked(withTransaction({ blob: largest.hash }), largest)).toEqual(
    withTransaction(large.toString('base64url'))
  )
  const tooLarge = Buffer.alloc(EVIDENCE_BLOB_BYTES_MAX + 1)
  const refused = withTransaction({ blob: sha256Hex(tooLarge) })
  expect(await asked(refused, { hash: sha256Hex(tooLarge), bytes: tooLarge })).toEqual(refused)
})
