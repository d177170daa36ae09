import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { HeldStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import {
  MEASUREMENT,
  REVIEWER,
  TENANT,
  TenantClient,
  codeOf,
  findingOf,
  payloadOf,
  rowsOf,
  startFindingsNode
} from './support.ts'

test('a key that is taken back while its report waits for its turn signs nothing any more', async () => {
  const store = new HeldStore(await openMemoryStore())
  const node = await startFindingsNode({ ports: { store } })
  const { partners, findings } = node.memory.node.gateway
  const reviewer = new TenantClient(node, REVIEWER)
  const bodyOf = async (id: string): Promise<string> =>
    await reviewer.signTelemetry(reviewer.telemetryOf(payloadOf([findingOf(id)])))
  const [one, other] = [await bodyOf('a'), await bodyOf('b')]
  const take = (body: string): ReturnType<typeof findings.takeTelemetry> =>
    findings.takeTelemetry(TENANT, Buffer.from(body), { address: '192.0.2.1', requestId: 'r' })
  store.held = Promise.withResolvers()
  const first = take(one)
  await until('the first is being written', () => store.waiting > 0)
  // Its signature is checked before this returns.
  const second = take(other)
  expect(await partners.unregister(REVIEWER.signer.did, REVIEWER.signer.kid)).toBe(true)
  store.held.resolve()
  expect([(await first).ok, await second]).toMatchObject([true, { ok: false, code: 'NODE_UNKNOWN' }])
  expect(await rowsOf(node, `/v1/tenants/${TENANT}/findings`)).toHaveLength(1)
  expect(codeOf(await reviewer.report(payloadOf([findingOf('c')])))).toBe('NODE_UNKNOWN')
})

test('nor does its feedback', async () => {
  const store = new HeldStore(await openMemoryStore())
  const node = await startFindingsNode({ ports: { store } })
  const { partners, findings } = node.memory.node.gateway
  const reviewer = new TenantClient(node, REVIEWER)
  const payload = payloadOf([findingOf('a')])
  expect(codeOf(await reviewer.report(payload))).toBe('201')
  const bound = { findingId: 'a', fingerprint: reviewer.fingerprint(payload), attestationMeasurementHash: MEASUREMENT }
  const bodyOf = async (): Promise<string> =>
    await reviewer.signFeedback(reviewer.feedbackOf({ ...bound, action: 'dismiss', rule: 'noise' }))
  const [one, other] = [await bodyOf(), await bodyOf()]
  const take = (body: string): ReturnType<typeof findings.takeFeedback> =>
    findings.takeFeedback(TENANT, Buffer.from(body), { address: '192.0.2.1', requestId: 'r' })
  store.held = Promise.withResolvers()
  const first = take(one)
  await until('the first is being written', () => store.waiting > 0)
  const second = take(other)
  expect(await partners.unregister(REVIEWER.signer.did, REVIEWER.signer.kid)).toBe(true)
  store.held.resolve()
  expect([(await first).ok, await second]).toMatchObject([true, { ok: false, code: 'NODE_UNKNOWN' }])
  expect(await rowsOf(node, `/v1/tenants/${TENANT}/feedback`)).toHaveLength(1)
})
