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
  const { findings } = node.memory.node.gateway
  const reviewer = new TenantClient(node, REVIEWER)
  const bodyOf = async (id: string): Promise<string> =>
    await reviewer.signTelemetry(reviewer.telemetryOf(payloadOf([findingOf(id)])))
  const [one, other] = [await bodyOf('a'), await bodyOf('b')]
  const take = (body: string): ReturnType<typeof findings.takeTelemetry> =>
    findings.takeTelemetry(TENANT, Buffer.from(body), { address: '192.0.2.1', requestId: 'r' })
  await takenBackBetween(node, store, [() => take(one), () => take(other)])
  expect(await rowsOf(node, `/v1/tenants/${TENANT}/findings`)).toHaveLength(1)
  expect(codeOf(await reviewer.report(payloadOf([findingOf('c')])))).toBe('NODE_UNKNOWN')
})

test('nor does its feedback', async () => {
  const store = new HeldStore(await openMemoryStore())
  const node = await startFindingsNode({ ports: { store } })
  const { findings } = node.memory.node.gateway
  const reviewer = new TenantClient(node, REVIEWER)
  const payload = payloadOf([findingOf('a')])
  expect(codeOf(await reviewer.report(payload))).toBe('201')
  const bound = { findingId: 'a', fingerprint: reviewer.fingerprint(payload), attestationMeasurementHash: MEASUREMENT }
  const bodyOf = async (): Promise<string> =>
    await reviewer.signFeedback(reviewer.feedbackOf({ ...bound, action: 'dismiss', rule: 'noise' }))
  const [one, other] = [await bodyOf(), await bodyOf()]
  const take = (body: string): ReturnType<typeof findings.takeFeedback> =>
    findings.takeFeedback(TENANT, Buffer.from(body), { address: '192.0.2.1', requestId: 'r' })
  await takenBackBetween(node, store, [() => take(one), () => take(other)])
  expect(await rowsOf(node, `/v1/tenants/${TENANT}/feedback`)).toHaveLength(1)
})

/** Takes the reviewer's key back while the first is being written and the second, whose signature is checked, waits. */
async function takenBackBetween(
  { memory }: Awaited<ReturnType<typeof startFindingsNode>>,
  store: HeldStore,
  [first, second]: readonly [() => Promise<Taken>, () => Promise<Taken>]
): Promise<void> {
  store.held = Promise.withResolvers()
  const taking = first()
  await until('the first is being written', () => store.waiting > 0)
  const waiting = second()
  const { did, kid } = REVIEWER.signer
  expect(await memory.node.gateway.partners.unregister(did, kid)).toBe(true)
  store.held.resolve()
  expect([(await taking).ok, await waiting]).toMatchObject([true, { ok: false, code: 'NODE_UNKNOWN' }])
}

interface Taken {
  readonly ok: boolean
}
