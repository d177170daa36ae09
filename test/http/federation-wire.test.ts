import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { BundleRequest } from '../../protocols/bundle/v1/request.ts'
import { encodeRequest } from '../../protocols/bundle/v1/request.ts'
import { decodePage } from '../../protocols/bundle/v1/page.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import { FEDERATION_REQUESTS_PER_MINUTE } from '../../src/http/federation-routes.ts'
import { BODY_BYTES_MAX, PUBLIC_LIMITS } from '../../src/http/limits.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { rawExchange } from './support/listeners.ts'
import type { PartnerNode } from './support/partners.ts'
import { HOME, PEER, answerOf, freshNonce, postWire, servePartners, startPartnerNode } from './support/partners.ts'
import { startWholeGateway } from './support/whole-gateway.ts'

describe('POST /federation/announce', () => {
  it('answers as the door does, and what is new goes on to the mesh', async () => {
    const hub = createMemoryHub()
    const members = [HOME, PEER]
    const home = await openNode(HOME, members, { hub })
    const neighbour = await openNode(PEER, members, { hub, ports: { clock: home.ports.clock } })
    const { url } = await servePartners(home, true)
    const announce = async (wire: Uint8Array): ReturnType<typeof answerOf> =>
      await answerOf(await postWire(`${url}/federation/announce`, wire))
    const first = await next(PEER, null, announceBody('b-1'))
    const second = await next(PEER, first, announceBody('b-2'))
    const third = await next(PEER, second, announceBody('b-3'))

    expect(await announce(first.wire)).toMatchObject({ status: 201, outcome: 'accepted', id: first.id })
    expect(await announce(first.wire)).toMatchObject({ status: 200, outcome: 'duplicate', id: first.id })
    expect(await announce(third.wire)).toMatchObject({ status: 202, code: 'PREDECESSOR_MISSING' })
    const stranger = await next(member('stranger'), null, announceBody('b-1'))
    expect(await announce(stranger.wire)).toMatchObject({ status: 403, code: 'SIGNER_NOT_MEMBER', outcome: 'ignored' })
    const elsewhere = await next(PEER, null, announceBody('b-1'), { namespace: 'dao:elsewhere' })
    expect(await announce(elsewhere.wire)).toMatchObject({ status: 403, code: 'NAMESPACE_NOT_CARRIED' })
    const broken = Uint8Array.from(second.wire)
    broken[broken.length - 10] = broken.at(-10) === 65 ? 66 : 65
    expect(await announce(broken)).toMatchObject({ status: 401, code: 'SIGNATURE_INVALID', outcome: 'rejected' })
    expect(await announce(new Uint8Array())).toMatchObject({ status: 400, code: 'MALFORMED' })
    const late = await next(PEER, first, announceBody('b-9'), { ts: home.ports.clock.now() + 200_000 })
    expect(await announce(late.wire)).toMatchObject({ status: 422, code: 'FUTURE_TIMESTAMP' })

    await hub.drain()
    await quiet(neighbour)
    expect(await neighbour.node.event(first.id)).toMatchObject({ id: first.id })
    await neighbour.node.close()
  })

  it('refuses what is larger than an event before it is read', async () => {
    const { url } = await startPartnerNode()
    const head = 'POST /federation/announce HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
    const rest = 'Content-Type: application/octet-stream\r\nContent-Length: 49153\r\n\r\n'
    expect(await rawExchange(url, `${head}${rest}`)).toMatch(/^HTTP\/1\.1 413 .*"code":"EVENT_TOO_LARGE"/s)
  })
})

it.each(['/federation/announce', '/v1/packs'])(
  '%s does not read on for ever what is larger than an event',
  async (path) => {
    // Nothing but how much has come ends it.
    const limits = { ...PUBLIC_LIMITS, requestTimeoutMs: 0, idleTimeoutMs: 0 }
    const { url } = await startWholeGateway({}, { limits })
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    // Cut off in the middle of what it sends, it may see a reset, perhaps before the answer.
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n`)
    socket.write(`Content-Length: ${64 * BODY_BYTES_MAX}\r\n\r\n`)
    socket.write(new Uint8Array(4 * BODY_BYTES_MAX))
    await closed
    expect(text).toMatch(/^(?:HTTP\/1\.1 413 .*"code":"EVENT_TOO_LARGE".*)?$/s)
  }
)

it('who asks faster than ten times a second is told when to come back, by whatever route', async () => {
  const { url } = await startPartnerNode()
  const statuses = new Map<number, number>()
  let retryAfter: string | null = null
  for (let count = 0; count <= FEDERATION_REQUESTS_PER_MINUTE; count += 1) {
    const response = await postWire(`${url}/federation/${count % 2 === 0 ? 'announce' : 'request'}`, Uint8Array.of(1))
    await response.arrayBuffer()
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    retryAfter = response.headers.get('retry-after')
  }
  expect(statuses.get(429)).toBe(1)
  expect(retryAfter).toBe('10')
})

describe('POST /federation/request', () => {
  const requestOf = (node: PartnerNode, changes: Partial<BundleRequest> = {}): BundleRequest => ({
    v: 1,
    namespace: NAMESPACE,
    signer: PEER.signer.did,
    kid: PEER.signer.kid,
    audience: HOME.signer.did,
    ts: node.clock.now(),
    nonce: freshNonce(),
    ...changes
  })
  const post = async (node: PartnerNode, wire: Uint8Array): Promise<Response> =>
    await postWire(`${node.url}/federation/request`, wire)
  const wireOf = async (request: BundleRequest, signer = PEER.signer): Promise<Uint8Array> =>
    (await encodeRequest(request, (input) => signer.sign(input))).wire

  it('answers with the page that the mesh gets', async () => {
    const node = await startPartnerNode()
    const { node: inside } = node.memory
    await inside.seal({ namespace: NAMESPACE, batchId: 'b-1', receipts: [{ a: 1 }, { a: 2 }] })
    await inside.announce({ namespace: NAMESPACE, batchId: 'b-1', timestampAnchors: [] })
    await quiet(node.memory)
    const response = await post(node, await wireOf(requestOf(node)))
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/octet-stream'])
    const page = decodePage(new Uint8Array(await response.arrayBuffer()))
    expect(page).toMatchObject({ ok: true, decoded: { page: { parts: [{ batchId: 'b-1', receiptCount: 2 }] } } })
  })

  it('maps every refusal to the status of its code', async () => {
    const crossOrg = [{ from: '*', to: PEER.orgId, operations: ['*'] }]
    const node = await startPartnerNode({ policy: policyOf(HOME, [HOME, PEER], { crossOrg }) })
    const code = async (wire: Uint8Array): Promise<readonly [number, string | undefined]> => {
      const { status, code: found } = await answerOf(await post(node, wire))
      return [status, found]
    }
    const of = async (changes: Partial<BundleRequest>): ReturnType<typeof code> =>
      await code(await wireOf(requestOf(node, changes)))
    const want = [{ owner: HOME.orgId, batchId: 'b', batchRoot: 'a'.repeat(64), from: 0, to: 1 }]
    const twice = await wireOf(requestOf(node))
    expect((await post(node, twice)).status).toBe(200)
    expect(await code(twice)).toEqual([409, 'REPLAY'])
    expect(await code(new Uint8Array())).toEqual([400, 'BODY_MALFORMED'])
    expect(await of({ nonce: 'short' })).toEqual([422, 'SCHEMA_INVALID'])
    expect(await of({ audience: PEER.signer.did })).toEqual([403, 'WRONG_AUDIENCE'])
    expect(await of({ ts: node.clock.now() - 300_001 })).toEqual([401, 'TIMESTAMP_SKEW'])
    expect(await of({ namespace: 'dao:elsewhere' })).toEqual([403, 'ACCESS_DENIED'])
    expect(await of({ want })).toEqual([403, 'CROSS_ORG_DENIED'])
    expect(await of({ kid: 'another' })).toEqual([403, 'NODE_UNKNOWN'])
    expect(await code(await wireOf(requestOf(node), member('thief').signer))).toEqual([401, 'SIGNATURE_INVALID'])
    const own = [{ owner: PEER.orgId, batchId: 'b', batchRoot: 'a'.repeat(64), from: 0, to: 1 }]
    expect(await of({ want: own })).toEqual([404, 'NOT_FOUND'])
    expect(await rawExchange(node.url, TOO_LARGE)).toMatch(/^HTTP\/1\.1 413 .*"code":"BODY_TOO_LARGE"/s)
  })
})

const TOO_LARGE =
  'POST /federation/request HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n' +
  'Content-Type: application/octet-stream\r\nContent-Length: 65537\r\n\r\n'
