import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { decodeReport } from '../../protocols/drill-report/v1/report.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { DrillPorts, DrillTarget } from '../../src/drill/drill-target.ts'
import { runDrill } from '../../src/drill/run-drill.ts'
import type { Drill } from '../../src/drill/run-drill.ts'
import { Secrets } from '../../src/drill/secrets.ts'
import { startLocalServer } from '../support/local-server.ts'
import { drillPorts, serveTestNode, targetOf } from './support.ts'
import type { ServedNode } from './support.ts'

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}
/** What the target answers in the place of the real answer; `null`: that, and `'cut'`: nothing, though it did the work. */
type Tamper = (
  path: string,
  answer: Answer,
  asked: { readonly body: string; readonly response: ServerResponse; readonly request: IncomingMessage }
) => Partial<Answer> | null | 'cut' | 'silence'

/** Stands before both listeners of a real node, and answers otherwise where it is told to. */
async function tampering(node: ServedNode, tamper: Tamper): Promise<URL> {
  const server = await startLocalServer(async (request, bytes, response) => {
    const url = request.url ?? ''
    const isAdmin = url.startsWith('/v1/admin/')
    const body = Buffer.from(bytes).toString('utf8')
    const real = await fetch(new URL(url, isAdmin ? node.admin : node.base), {
      method: request.method ?? 'GET',
      headers: {
        ...(isAdmin ? { authorization: request.headers.authorization ?? '' } : {}),
        ...(bytes.length > 0 ? { 'content-type': 'application/json' } : {})
      },
      ...(bytes.length > 0 ? { body } : {})
    })
    const answer = { status: real.status, type: real.headers.get('content-type') ?? '', text: await real.text() }
    const told = tamper(`${request.method} ${url}`, answer, { body, response, request })
    if (told === 'silence') return
    if (told === 'cut') {
      response.destroy()
      return
    }
    const { status, type, text } = { ...answer, ...told }
    response.writeHead(status, { 'content-type': type, location: 'http://127.0.0.1:9/elsewhere' }).end(text)
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return new URL(server.url)
}

async function drillOf(
  tamper: Tamper,
  changes: Partial<DrillTarget> = {},
  ports: Partial<DrillPorts> = {}
): Promise<{ readonly drill: Drill; readonly node: ServedNode; step: (name: string) => string }> {
  const node = await serveTestNode('target')
  const base = await tampering(node, tamper)
  const secrets = new Secrets()
  const drill = await runDrill(
    targetOf(node, { base, admin: base, ...changes }),
    drillPorts(node, { secrets, ...ports })
  )
  // Whatever happens: a report of the right form, no token in it, and no key left behind.
  expect(decodeReport(utf8(drill.file))).toMatchObject({ ok: true })
  expect(secrets.areIn(drill.file)).toBe(false)
  expect(drill.file).not.toContain(node.adminToken)
  expect(node.node.gateway.partners.registered()).toEqual([])
  const step = (name: string): string => {
    const found = drill.report.steps.find((one) => one.name === name)
    return [found?.outcome, found?.status, found?.code].filter((part) => part !== null).join(' ')
  }
  return { drill, node, step }
}

const problem = (status: number, code: string, detail: string): Answer => ({
  status,
  type: 'application/problem+json',
  text: JSON.stringify({ type: 'about:blank', title: '', status, code, detail, requestId: '1' })
})

test('a target that takes a replay, or refuses it otherwise, does not pass', async () => {
  const bodies = new Map<string, Answer>()
  const taking = await drillOf((path, answer, { body }) => {
    if (path !== 'POST /v1/federation/deliver') return null
    const before = bodies.get(body)
    if (answer.status === 201) bodies.set(body, answer)
    return before ?? null
  })
  expect(taking.step('replay-guard')).toBe('failed 201 NOT_REFUSED')
  expect(taking.drill.report).toMatchObject({ passed: false, replay_guard_passed: false, delivery_passed: true })
  const otherwise = await drillOf((_path, answer) =>
    answer.text.includes('"replay"') ? problem(409, 'REPLAY', 'replay') : null
  )
  expect(otherwise.step('replay-guard')).toBe('failed 409 REPLAY')
  const vague = await drillOf((_path, answer) =>
    answer.text.includes('"replay"') ? problem(401, 'SIGNATURE_INVALID', 'it is not good') : null
  )
  expect(vague.step('replay-guard')).toBe('failed 401 SIGNATURE_INVALID')
})

test('a receipt or proof that is not the right one does not pass', async () => {
  const changed = (from: string, to: string, of: string) =>
    drillOf((path, answer) => (path.startsWith(of) ? { text: answer.text.replace(from, to) } : null))
  const receipt = await changed('"logSeq":', '"logSeq":1', 'POST /v1/federation/deliver')
  expect(receipt.step('receipt-signature')).toBe('failed RECEIPT_INVALID')
  expect(receipt.drill.report).toMatchObject({
    receipt_signature_verified: false,
    inclusion_proof: null,
    passed: false
  })
  const form = await changed('"receipt"', '"receipts"', 'POST /v1/federation/deliver')
  expect(form.step('delivery')).toBe('failed 201 UNEXPECTED_ANSWER')
  expect(form.step('replay-guard')).toBe('skipped')
  const proof = await drillOf((path, answer) => {
    if (!path.startsWith('GET /v1/log/inclusion')) return null
    return { text: JSON.stringify({ ...(JSON.parse(answer.text) as object), proof: ['0'.repeat(64)] }) }
  })
  expect(proof.step('log-inclusion')).toBe('failed 200 INCLUSION_INVALID')
  expect(proof.drill.report).toMatchObject({ receipt_signature_verified: true, passed: false })
})

test('a target that is another node than was meant is told nothing more', async () => {
  const { node: other } = await drillOf(() => null)
  for (const changes of [
    { remoteNodeId: other.did.replace(/.$/, 'x') },
    { pins: { did: 'did:web:a.example', keys: [] } }
  ]) {
    const asked: string[] = []
    const { step } = await drillOf((path) => (asked.push(path), null), changes)
    expect(step('identity')).toBe('failed OTHER_NODE')
    expect(step('challenge')).toBe('skipped')
    expect(asked).toEqual(['GET /v1/federation/node'])
  }
  const named = await drillOf(() => null, { remoteNodeId: other.did })
  expect(named.step('identity')).toBe('passed')
  const admin = await drillOf((path, answer) =>
    path === 'GET /v1/admin/status' ? { text: answer.text.replaceAll(other.did, 'did:web:other.example') } : null
  )
  expect(admin.step('admin-status')).toBe('failed 200 OTHER_NODE')
})

test('answers that send elsewhere, are too large, or are none are no answers', async () => {
  const moved = await drillOf((path) => (path === 'POST /v1/federation/challenge' ? { status: 307 } : null))
  expect(moved.step('challenge')).toBe('failed 307 REDIRECTED')
  expect(moved.drill.unreachable).toBe(false)
  const large = await drillOf((path) => (path.endsWith('/federation/node') ? { text: ' '.repeat(5_000_000) } : null))
  expect(large.step('node-document')).toBe('failed ANSWER_TOO_LARGE')
  const deep = await drillOf((path) =>
    path.endsWith('/federation/node')
      ? { text: `{"did":"did:web:a","keys":[],"a":${'['.repeat(99)}${']'.repeat(99)}}` }
      : null
  )
  expect(deep.step('node-document')).toBe('failed 200 UNEXPECTED_ANSWER')
  const silent = await drillOf((path) => (path.endsWith('/federation/node') ? 'silence' : null), { timeoutMs: 200 })
  expect(silent.step('node-document')).toBe('failed TIMED_OUT')
  expect(silent.drill.unreachable).toBe(true)
  const away = await drillOf(() => null, { base: new URL('http://127.0.0.1:1') })
  expect(away.step('node-document')).toBe('failed UNREACHABLE')
})

test('tokens that a target repeats get into nothing that is kept', async () => {
  const echoed = await drillOf((path, _answer, { request }) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    if (path !== 'POST /v1/admin/nodes') return null
    return problem(409, 'KEY_EXISTS', `who has ${token} or ${Buffer.from(token).toString('base64')}`)
  })
  const register = echoed.drill.report.steps.find(({ name }) => name === 'register')
  expect(register?.detail).toMatch(/^who has \[redacted\] or \[redacted\]=*$/)
  let given = ''
  const inReceipt = await drillOf((path, answer) => {
    if (path.endsWith('/challenge') && answer.status === 201)
      given = (JSON.parse(answer.text) as { token: string }).token
    return path.endsWith('/deliver') && answer.status === 201
      ? { text: answer.text.replace('{"receipt":{', `{"receipt":{"token":"${given}",`) }
      : null
  })
  expect(given).not.toBe('')
  expect(inReceipt.step('delivery')).toBe('failed 201 UNEXPECTED_ANSWER')
  expect(inReceipt.drill.file).not.toContain(given)
  const inDocument = await drillOf(
    (path, answer) => {
      if (!path.endsWith('/federation/node')) return null
      return { text: answer.text.replace('{', '{"admin":"0123456789abcdef",') }
    },
    {},
    { adminToken: '0123456789abcdef' }
  )
  expect(inDocument.step('node-document')).toBe('failed 200 UNEXPECTED_ANSWER')
})

test('a key is taken back also when the answer was lost, or the drill interrupted', async () => {
  const lost = await drillOf((path) => (path === 'POST /v1/admin/nodes' ? 'cut' : null))
  expect(lost.step('register')).toBe('failed UNREACHABLE')
  expect(lost.step('unregister')).toBe('passed 200')

  const node = await serveTestNode('target')
  const stop = new AbortController()
  const base = await tampering(node, (path) => {
    if (path !== 'POST /v1/federation/deliver') return null
    stop.abort(new Error('interrupted'))
    return 'silence'
  })
  const running = runDrill(targetOf(node, { base, admin: base }), drillPorts(node, { signal: stop.signal }))
  await expect(running).rejects.toThrow('interrupted')
  expect(node.node.gateway.partners.registered()).toEqual([])
})

test('a wrong admin token is told as such', async () => {
  const { step, drill } = await drillOf(() => null, {}, { adminToken: 'not-the-token' })
  expect(step('admin-status')).toBe('failed 401 ADMIN_TOKEN_INVALID')
  expect(step('register')).toBe('skipped')
  expect(drill.report.passed).toBe(false)
})
