import { expect, it, onTestFinished } from 'vitest'
import { PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { startListener } from '../../src/http/listener.ts'
import { setReader } from '../../src/http/reader.ts'
import { registerReadiness } from '../../src/http/readiness-routes.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { publicListener } from './support/listeners.ts'
import { memoryNode } from './support/memory-operations.ts'

it('a node that serves lives, whatever ails it, and is ready while nothing does', async () => {
  const reasons: string[] = []
  const { url } = await publicListener({ readiness: () => reasons })
  const ask = async (path: string): Promise<unknown[]> => {
    const answer = await fetch(`${url}${path}`)
    return [answer.status, await answer.json(), answer.headers.get('cache-control')]
  }
  expect(await ask('/readyz')).toEqual([200, { status: 'ok', reasons: [] }, 'no-store'])
  reasons.push('the node is stopping')
  expect(await ask('/readyz')).toEqual([503, { status: 'failing', reasons }, 'no-store'])
  expect(await ask('/livez')).toEqual([200, { status: 'ok' }, 'no-store'])
  expect((await fetch(`${url}/readyz?verbose=1`)).status).toBe(400)
  expect((await fetch(`${url}/livez`, { method: 'HEAD' })).status).toBe(200)
})

it('without further reasons it is ready where nothing ails the node', async () => {
  const node = memoryNode()
  const failing = { ok: false, reasons: ['projection batches halted'] }
  const { url } = await publicListener({
    operations: memoryNode({ status: async () => ({ ...(await node.status()), health: failing }) })
  })
  expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'failing', reasons: failing.reasons })
})

it('a stranger learns the status alone', async () => {
  const listener = await startListener({
    listen: '127.0.0.1:0',
    key: 'http.listen',
    limits: PUBLIC_LIMITS,
    logger: silentLogger,
    clock: systemClock,
    routes: (app) => {
      app.addHook('onRequest', async (request) => {
        setReader(request, { actor: 'stranger', namespaces: new Set(), tenant: null, isOperator: false })
      })
      registerReadiness(app, memoryNode(), () => ['the log can’t be written: /data/store'])
    }
  })
  onTestFinished(() => listener.close())
  const answer = await fetch(`${listener.url}/readyz`)
  expect([answer.status, await answer.json()]).toEqual([503, { status: 'failing' }])
})
