import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { ReceiptQueue } from '../../src/anchoring/receipt-queue.ts'
import { Bundles } from '../../src/bundles/bundles.ts'
import { NonceBook } from '../../src/ingest/nonce-book.ts'
import { RequestGuard } from '../../src/ingest/request-guard.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { storeWriter } from '../../src/log/store-writer.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import { peerIdOf } from '../node/nodes.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { announceBody, next } from '../support/events.ts'
import { ANNA, BERT, bundlePolicy } from './support.ts'

test('events come first, but peers that never end their sessions put receipts off for a minute only', async () => {
  const policy = bundlePolicy(ANNA)
  const ledger = await openLedger({ policy })
  const { log, engine, store, clock } = ledger
  await ledger.append(await next(BERT, null, announceBody('batch-1')))
  await ledger.caughtUp()
  let asked = 0
  const blobs = new BlobStore(await openMemoryStore())
  const bundles = new Bundles({
    log,
    engine,
    store,
    blobs,
    queued: new ReceiptQueue({ blobs, clock, random: seededRandom('queue') }),
    keyring: new Keyring(),
    policy: () => viewPolicy(policy),
    signer: () => ANNA.signer,
    clock,
    random: seededRandom('busy'),
    logger: silentLogger,
    guard: new RequestGuard({
      nonces: new NonceBook({ store, write: storeWriter(store, log), clock }),
      clock,
      self: () => policy.self.did,
      skewMs: () => 300_000
    }),
    peers: {
      connected: () => [peerIdOf(BERT)],
      exchange: () => {
        asked += 1
        return Promise.resolve({ ok: false, reason: 'unreachable', detail: 'it is a test' })
      },
      penalise: () => {}
    },
    isBusy: () => true
  })
  bundles.start()
  for (let second = 0; second < 50; second += 1) await clock.advance(1_000)
  expect(asked).toBe(0)
  for (let second = 0; second < 20; second += 1) await clock.advance(1_000)
  expect(asked).toBeGreaterThan(0)
  await bundles.stop()
  await ledger.close()
  await store.close()
  await blobs.close()
})
