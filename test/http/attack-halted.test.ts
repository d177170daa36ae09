import { expect, it } from 'vitest'
import type { KeyRange } from '../../src/log/store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { bearer, tokenFor } from '../access/world.ts'
import { quiet } from '../node/nodes.ts'
import { WrappedStore } from '../support/stores.ts'
import { freshNonce, postText, registeredPartner } from './support/partners.ts'
import { startWholeGateway } from './support/whole-gateway.ts'

/** Has the folds fail while it is defective: they can read neither records of the log nor rows. */
class DefectiveStore extends WrappedStore {
  isDefective = false

  override async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    if (this.isDefective && keys.some(isFolded)) throw new Error('a defect')
    return await super.getMany(keys)
  }

  override range(range: KeyRange): AsyncIterable<[string, Uint8Array]> {
    if (this.isDefective && range.gte?.startsWith('r!') === true) throw new Error('a defect')
    return super.range(range)
  }
}

const isFolded = (key: string): boolean => /^[rv]!/.test(key)

it('where projections have halted, what needs them says so with 503, and nothing else fails', async () => {
  const store = new DefectiveStore(await openMemoryStore())
  const gateway = await startWholeGateway({ ports: { store } })
  const { url, node, memory } = gateway
  const partner = await registeredPartner(gateway, 'partner', { tenant: 'alpha' })
  await node.seal({ namespace: 'a:one', batchId: 'b-1', receipts: [1] })
  await quiet(memory)
  const tokens = [await partner.token(), await partner.token()]
  const report = {
    v: 1,
    audience: gateway.self.signer.did,
    signer: partner.signer.did,
    kid: partner.signer.kid,
    tenant: 'alpha',
    nonce: freshNonce(),
    timestamp: gateway.clock.now(),
    payload: {
      execution: { id: 'run-1' },
      attestationMeasurementHash: 'a'.repeat(64),
      findings: [{ findingId: 'f1', kind: 'k', severity: 'low', score: 1 }]
    }
  }
  store.isDefective = true
  await Promise.allSettled([
    partner.deliver(tokens[0] ?? '', { namespace: 'a:one' }),
    node.announce({ namespace: 'a:one', batchId: 'b-1', timestampAnchors: [] }),
    node.seal({ namespace: 'a:one', batchId: 'b-2', receipts: [2] }),
    postText(`${url}/v1/tenants/alpha/telemetry`, await partner.sign(report, 'telemetry'))
  ])
  await quiet(memory)
  store.isDefective = false
  const halted = (await node.status()).projections.filter(({ state }) => state === 'halted').map(({ name }) => name)
  expect(halted).toEqual(expect.arrayContaining(['batches', 'receipts', 'winners', 'deliveries', 'findings']))
  const headers = bearer(await tokenFor(node, [], { tenant: 'alpha' }))
  const leaf = 'a'.repeat(64)
  const needing = [
    ...halted.map((name) => `/v1/projections/${name}`),
    ...halted.map((name) => `/v1/subscribe?projection=${name}`),
    '/v1/digest?namespace=a:one',
    `/v1/receipts/${leaf}/proof?namespace=a:one&batchId=b-1`,
    '/v1/tenants/alpha/findings',
    '/v1/tenants/alpha/findings/f1',
    '/readyz',
    '/health'
  ]
  const odd: string[] = []
  for (const path of needing) {
    const answer = await fetch(url + path, { headers })
    const text = await answer.text()
    if (answer.status !== 503) odd.push(`${path}: ${answer.status} ${text.slice(0, 200)}`)
  }
  for (const path of [
    '/livez',
    '/v1/events',
    '/v1/projections/peers',
    '/v1/federation/node',
    '/v1/log/checkpoint',
    '/openapi.json'
  ]) {
    const answer = await fetch(url + path, { headers })
    await answer.body?.cancel()
    if (answer.status !== 200) odd.push(`${path}: ${answer.status}`)
  }
  const again = await partner.sign({ ...report, nonce: freshNonce() }, 'telemetry')
  const reported = await postText(`${url}/v1/tenants/alpha/telemetry`, again)
  if (reported.status !== 503) odd.push(`telemetry: ${reported.status}`)
  expect(odd).toEqual([])
  // What needs no projection goes on.
  expect((await partner.deliver(tokens[1] ?? '', { namespace: 'a:one' })).status).toBe(201)
})

it('no line of the log and no audit record holds a token, a ticket, or a line that somebody else wrote', async () => {
  const lines: string[] = []
  const take = (fields: unknown, message: string): void => void lines.push(`${JSON.stringify(fields)} ${message}`)
  const logger: Logger = { debug: take, info: take, warn: take, error: take, child: () => logger } as Logger
  const gateway = await startWholeGateway({ logger }, { logger })
  const { url, node, memory, clock } = gateway
  const partner = await registeredPartner(gateway, 'partner', { tenant: 'alpha' })
  const token = await tokenFor(node, ['a:one'])
  const [, secret = ''] = token.split('.')
  const issued = await fetch(`${url}/v1/tickets`, { method: 'POST', headers: bearer(token) })
  const { ticket } = (await issued.json()) as { ticket: string }
  const challenge = await partner.token()
  const paths = [
    `/v1/subscribe?projection=nothing&ticket=${ticket}`,
    `/v1/subscribe?projection=batches&namespace=b:one&ticket=${ticket}`,
    `/v1/subscribe?projection=batches&cursor=x&ticket=${ticket}`,
    `/v1/subscribe?projection=batches&ticket=${ticket}&ticket=${ticket}`,
    `/v1/events?ticket=${ticket}`,
    `/nowhere?ticket=${ticket}`,
    `/v1/events/%zz?ticket=${ticket}`,
    `/v1/subscribe/%00?ticket=${ticket}`,
    '/v1/tenants/no%0a%7B%22level%22%3A%22error%22%7D/findings',
    '/v1/tenants/no%E2%80%A8one/findings'
  ]
  for (const path of paths) await (await fetch(url + path)).body?.cancel()
  for (const wrong of [`${token}x`, `x${token}`, secret]) await fetch(`${url}/v1/events`, { headers: bearer(wrong) })
  await partner.deliver(challenge, { namespace: 'b:one' })
  await partner.deliver(challenge, { namespace: 'a:one', ts: 0 })
  await partner.deliver(challenge, { namespace: 'a:one', payload: { secret: 'of the payload' } })
  await partner.deliver(challenge, { namespace: 'a:one' })
  await clock.advance(61_000)
  await quiet(memory)
  const records = await Array.fromAsync(node.audit({}))
  expect(Math.min(records.length, lines.length)).toBeGreaterThan(5)
  const written = [...lines, ...records.map((record) => JSON.stringify(record))]
  for (const hidden of [secret, ticket, challenge, 'of the payload'])
    expect(written.filter((line) => line.includes(hidden))).toEqual([])
  expect(written.filter((line) => /[\n\u2028]/.test(line))).toEqual([])
})
