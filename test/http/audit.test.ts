import { describe, expect, it, onTestFinished } from 'vitest'
import { requireToken } from '../../src/http/admin-token.ts'
import { auditCalls } from '../../src/http/audit-calls.ts'
import { ADMIN_LIMITS } from '../../src/http/limits.ts'
import { startListener } from '../../src/http/listener.ts'
import type { App } from '../../src/http/listener.ts'
import type { AuditEntry, CountingTrail } from '../../src/platform/audit.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { TOKEN, adminListener, ask, problemOf } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const LINES = { 'content-type': 'application/x-ndjson' }
const JSON_BODY = { 'content-type': 'application/json' }

function recording(): {
  readonly audit: CountingTrail
  readonly recorded: AuditEntry[]
  readonly counted: AuditEntry[]
} {
  const recorded: AuditEntry[] = []
  const counted: AuditEntry[] = []
  const audit: CountingTrail = {
    record: (entry) => void recorded.push(entry),
    count: (entry) => void counted.push(entry),
    flushed: () => Promise.resolve()
  }
  return { audit, recorded, counted }
}

describe('calls that may change something', () => {
  it('have a record with the request id, what they are about, and how they went', async () => {
    const { audit, recorded } = recording()
    const { url, listener } = await adminListener({ audit })
    const path = `batches?namespace=${NAMESPACE}&batchId=b1`
    const sealed = await ask(url(path), { method: 'POST', headers: LINES, body: '1\n' })
    await sealed.text()
    const again = await ask(url(path), { method: 'POST', headers: LINES, body: '1\n' })
    expect((await problemOf(again)).code).toBe('BATCH_EXISTS')
    const garbage = await ask(url('receipts/forget'), { method: 'POST', headers: JSON_BODY, body: '{"receipt":"x"}' })
    expect(garbage.status).toBe(422)
    await listener.close()
    const subject = 'POST /v1/admin/batches'
    const about = { namespace: NAMESPACE, batchId: 'b1' }
    expect(recorded).toMatchObject([
      {
        action: 'ADMIN_CALL',
        actor: 'operator',
        subject,
        outcome: 'ok',
        code: null,
        detail: { ...about, status: 201 }
      },
      { subject, outcome: 'refused', code: 'BATCH_EXISTS', detail: about },
      { subject: 'POST /v1/admin/receipts/forget', outcome: 'refused', detail: { receipt: 'x', status: 422 } }
    ])
    expect(recorded.map(({ requestId }) => requestId)).toEqual(
      [sealed, again, garbage].map((response) => response.headers.get('x-request-id'))
    )
  })

  it('have the code of work that failed after its answer had begun', async () => {
    const { audit, recorded } = recording()
    const operations = memoryNode({
      rebuild: async (onProgress) => {
        onProgress?.({ done: 1, total: 2, unit: 'records' })
        await new Promise((resolve) => setImmediate(resolve))
        throw new AnchormeshError('STORE_FULL', 'no room')
      }
    })
    const { client, listener } = await adminListener({ audit, operations })
    await expect(client.rebuild()).rejects.toMatchObject({ code: 'STORE_FULL' })
    await listener.close()
    expect(recorded).toMatchObject([{ subject: 'POST /v1/admin/log/rebuild', outcome: 'failed', code: 'STORE_FULL' }])
  })

  it('and those that only read have none', async () => {
    const { audit, recorded, counted } = recording()
    const { client, url, listener } = await adminListener({ audit })
    await client.status()
    await client.verifyLog()
    await client.verifyAudit()
    await Array.fromAsync(client.audit({}))
    await (await ask(url('nowhere'), { method: 'POST' })).text()
    await listener.close()
    expect([...recorded, ...counted]).toEqual([])
  })
})

it('calls without the token are counted, by address and route', async () => {
  const { audit, recorded, counted } = recording()
  const { url, listener } = await adminListener({ audit })
  for (const path of ['packs', 'packs', 'status']) {
    const response = await fetch(url(path), { method: path === 'status' ? 'GET' : 'POST' })
    expect(response.status).toBe(401)
    await response.text()
  }
  await listener.close()
  expect(recorded).toEqual([])
  expect(counted.map(({ actor, subject, code }) => [actor, subject, code])).toEqual([
    ['127.0.0.1', 'POST /v1/admin/packs', 'ADMIN_TOKEN_INVALID'],
    ['127.0.0.1', 'POST /v1/admin/packs', 'ADMIN_TOKEN_INVALID'],
    ['127.0.0.1', 'GET /v1/admin/status', 'ADMIN_TOKEN_INVALID']
  ])
})

describe('the audit log', () => {
  it('comes over the listener as the node has it', async () => {
    const operations = memoryNode()
    const { client } = await adminListener({ operations })
    const all = await Array.fromAsync(operations.audit({}))
    expect(all).toHaveLength(2)
    expect(await Array.fromAsync(client.audit({}))).toEqual(all)
    expect(await Array.fromAsync(client.audit({ limit: 1 }))).toEqual(all.slice(0, 1))
    const told: unknown[] = []
    expect(await client.verifyAudit((progress) => told.push(progress))).toEqual(await operations.verifyAudit())
    expect(told).toEqual([{ done: 2, total: 2, unit: 'audit records' }])
  })

  it.each(['since=-1', 'action=key', 'outcome=maybe', 'limit=0', 'follow=1', 'after=x', 'seq=1'])(
    'is not asked for by %s',
    async (query) => {
      const { url } = await adminListener()
      expect(await problemOf(await ask(url(`audit?${query}`)))).toMatchObject({ status: 400, code: 'QUERY_INVALID' })
    }
  )
})

it('who asks without the token is counted by network, where another address costs nothing', async () => {
  const { audit, counted } = recording()
  const apps: App[] = []
  const listener = await startListener({
    listen: '127.0.0.1:0',
    key: 'admin.listen',
    limits: ADMIN_LIMITS,
    logger: silentLogger,
    clock: systemClock,
    routes: (app, context) => {
      auditCalls(app, audit, context)
      requireToken(app, TOKEN)
      app.get('/v1/admin/status', () => ({}))
      apps.push(app)
    }
  })
  onTestFinished(() => listener.close())
  for (const remoteAddress of ['2001:db8:1:2::3', '2001:db8:1:2::4', '192.0.2.7'])
    await apps[0]?.inject({ url: '/v1/admin/status', remoteAddress })
  expect(counted.map(({ actor }) => actor)).toEqual(['2001:db8:1:2::/64', '2001:db8:1:2::/64', '192.0.2.7'])
})
