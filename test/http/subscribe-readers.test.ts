import { expect, onTestFinished, test } from 'vitest'
import { createAdminClient } from '../../src/http/admin-client.ts'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { SUBSCRIPTION_LIMITS } from '../../src/subscriptions/limits.ts'
import { openNode } from '../node/nodes.ts'
import { counted, countingProjection } from '../projections/support/counting.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { ALICE, BERTA, EVERYBODY } from '../projections/support/world.ts'
import { hubOf } from '../subscriptions/support.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { until } from '../support/until.ts'
import { BTC, EVM, scriptedVerifier, valid } from '../verification/support.ts'
import { publicListener } from './support/listeners.ts'
import { FORMS, subscribe } from './support/subscribers.ts'

test('a winner that is displaced by a stronger one is told as that, after the change of its row', async () => {
  const verifier = scriptedVerifier()
  verifier.script('eip155:1', valid(9, 5_000))
  verifier.script('btc:mainnet', valid(7, 9_000))
  const { node } = await openNode(ALICE, [ALICE, BERTA], { verifiers: [verifier] })
  onTestFinished(() => node.close())
  await node.start()
  const listener = await publicListener({ operations: node, subscriptions: node.gateway.subscriptions })
  const reader = await subscribe(`${listener.url}/v1/subscribe?projection=winners&namespace=${NAMESPACE}`, 'events')
  await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
  const first = await next(BERTA, null, { ...announceBody('batch-1'), timestampAnchors: [EVM] })
  await node.submit(first.wire)
  await reader.until('the first winner', ({ frame }) => frame === 'winner-changed')
  const second = await next(BERTA, first, { ...announceBody('batch-1'), timestampAnchors: [BTC] })
  await node.submit(second.wire)
  await until('the second', () => reader.frames.filter(({ frame }) => frame === 'winner-changed').length === 2)
  expect(reader.frames.filter(({ frame }) => frame === 'winner-changed')).toMatchObject([
    { cause: 'first', previous: null, winner: { chainId: 'eip155:1' }, rule: null },
    { cause: 'displaced', previous: { chainId: 'eip155:1' }, winner: { chainId: 'btc:mainnet' }, rule: 'rail' }
  ])
})

test.each(FORMS)('a reader over %s that does not read is ended by name, while another gets all', async (form) => {
  const ledger = await openLedger({ policy: policyOf(ALICE, EVERYBODY), projections: [countingProjection()] })
  const hub = hubOf(ledger, { limits: { ...SUBSCRIPTION_LIMITS, waitingBytesMax: 256 * 1024 } })
  const listener = await publicListener({ subscriptions: hub })
  const url = `${listener.url}/v1/subscribe?projection=counting`
  const [slow, quick] = [await subscribe(url, form), await subscribe(url, form)]
  for (const reader of [slow, quick]) await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
  slow.pause()
  // Sockets of both sides hold some megabytes.
  let count = 0
  for (const name = 'x'.repeat(20_000); hub.stats().subscribers === 2 && count < 2_000; count += 1) {
    await ledger.appendLocal(counted(`dao:test!${count}-${name}`))
    await ledger.caughtUp()
    await until('the other has it', () => quick.rows.size === count + 1 || hub.stats().subscribers < 2)
  }
  expect(hub.stats()).toMatchObject({ subscribers: 1, ended: { CONSUMER_TOO_SLOW: 1 } })
  expect(quick.state.ended).toBe(false)
  await hub.stop()
})

test('what an operator writes is read back by the position that the answer names, and the state before it too', async () => {
  const { node } = await openNode(ALICE, [ALICE])
  const options = { logger: silentLogger, clock: systemClock, listen: '127.0.0.1:0', operations: node }
  const admin = await startAdminListener({ ...options, token: newAdminToken(systemRandom), shutdown: () => undefined })
  const listener = await startPublicListener({ ...options, subscriptions: node.gateway.subscriptions })
  onTestFinished(async () => {
    await listener.close()
    await admin.close()
    await node.close()
  })
  const client = createAdminClient(admin)
  const ids = async (query: string): Promise<unknown[]> => {
    const response = await fetch(`${listener.url}/v1/projections/batches?namespace=${NAMESPACE}&${query}`)
    const { rows } = (await response.json()) as { rows: { batchId: string }[] }
    return rows.map(({ batchId }) => batchId)
  }
  let before = 0
  for (const batchId of ['batch-1', 'batch-2', 'batch-3']) {
    await client.seal({ namespace: NAMESPACE, batchId, receipts: [{ batchId }] })
    const { logSeq } = await client.announce({ namespace: NAMESPACE, batchId, timestampAnchors: [] })
    expect((await ids(`waitFor=${logSeq}`)).at(-1)).toBe(batchId)
    expect(await ids(`at=${before}`)).not.toContain(batchId)
    before = logSeq
  }
})
