import { expect, test } from 'vitest'
import type { BundleRequest } from '../../protocols/bundle/v1/request.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { sealReceipts } from '../../src/authoring/seal.ts'
import { PageBuilder } from '../../src/bundles/page-builder.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { openLedger } from '../projections/support/ledger.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import { NAMESPACE } from '../support/identities.ts'
import { ANNA, bundlePolicy, CLEO, numbered } from './support.ts'

test('one request has no more trees read than it may, and is told where to go on', async () => {
  const ledger = await openLedger({ policy: bundlePolicy(ANNA) })
  const { log, engine, store, clock } = ledger
  const blobs = new BlobStore(await openMemoryStore())
  const wants: { owner: string; batchId: string; batchRoot: string; from: number; to: number }[] = []
  let before: SignedEvent | null = null
  for (const batchId of ['batch-1', 'batch-2', 'batch-3']) {
    const ports = { log, blobs, clock, random: seededRandom(batchId) }
    const identity = { namespace: NAMESPACE, owner: ANNA.orgId, batchId }
    const { batchRoot, receiptCount } = await sealReceipts(identity, numbered(5), ports)
    before = await next(ANNA, before, { batchId, batchRoot, receiptCount, timestampAnchors: [] })
    await ledger.append(before)
    wants.push({ owner: ANNA.orgId, batchId, batchRoot, from: 1, to: 2 })
  }
  await ledger.caughtUp()
  const asked = async (pages: PageBuilder, changes: Partial<BundleRequest>) => {
    const request: BundleRequest = {
      v: 1,
      namespace: NAMESPACE,
      signer: CLEO.signer.did,
      kid: CLEO.signer.kid,
      audience: ANNA.signer.did,
      ts: 0,
      nonce: '',
      ...changes
    }
    const { parts, next: goOn } = await pages.build(request)
    return [...parts.map(({ batchId, from }) => `${batchId} ${from}`), goOn && `next ${goOn.batchId} ${goOn.index}`]
  }
  for (const changes of [{ want: wants }, {}]) {
    const from = changes.want === undefined ? 0 : 1
    const pages = new PageBuilder({ engine, store, blobs, log }, 6)
    expect(await asked(pages, changes)).toEqual([`batch-1 ${from}`, `batch-2 ${from}`, `next batch-3 ${from}`])
    // What was read is kept, so the next request comes further.
    expect(await asked(pages, changes)).toEqual([`batch-1 ${from}`, `batch-2 ${from}`, `batch-3 ${from}`, null])
  }
  await ledger.close()
  await store.close()
  await blobs.close()
})
