import { expect, test } from 'vitest'
import type { WriteOperation } from '../../src/log/store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { WrappedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import { REVIEWER, TENANT, TenantClient, codeOf, findingOf, payloadOf, rowsOf, startFindingsNode } from './support.ts'

/** Holds writes of log records back. */
class HeldStore extends WrappedStore {
  held: PromiseWithResolvers<void> | null = null
  waiting = 0

  override async write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.held !== null && operations.some(({ key }) => key.startsWith('r!'))) {
      this.waiting += 1
      await this.held.promise
    }
    await super.write(operations, options)
  }
}

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
