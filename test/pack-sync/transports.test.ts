import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PACK_REQUESTS_PER_MINUTE } from '../../src/http/pack-sync-routes.ts'
import { httpTransport } from '../../src/http/pack-transport.ts'
import { decodePackPage, encodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import { fileTransport } from '../../src/pack-sync/file-transport.ts'
import { PACK_REQUESTS_OF_ASKER_MAX } from '../../src/pack-sync/server.ts'
import { PACK_STREAMS_OF_PEER_MAX, PACK_SYNC_PROTOCOL, streamTransport } from '../../src/pack-sync/streams.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { frameStream } from '../../src/streams/frames.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { newFolder } from '../support/cli.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { until } from '../support/until.ts'
import { CARL, fill, openPackNode } from './nodes-support.ts'
import type { PackNode } from './nodes-support.ts'
import { BEA, ORG, packChain } from './support.ts'
import { transportContract } from './transport-contract.ts'

const never = new AbortController().signal
const ASK = { orgId: ORG, afterPackSeq: 0, limit: 8 }

async function linked(wires: readonly Uint8Array[]): Promise<{ readonly bea: PackNode; readonly carl: PackNode }> {
  const bea = await openPackNode(BEA, { mesh: [] })
  await fill(bea, wires)
  const carl = await openPackNode(CARL, { mesh: [bea] })
  await until('they are connected', () => carl.network?.connected().length === 1)
  return { bea, carl }
}

function overStreams({ network }: PackNode): ReturnType<typeof streamTransport> {
  const [peerId] = network?.connected() ?? []
  if (network === null || peerId === undefined) throw new Error('nobody is connected')
  return streamTransport({ streams: network, peerId, name: BEA.signer.did, clock: systemClock })
}

describe('over libp2p', () => {
  transportContract({
    open: async (wires) => overStreams((await linked(wires)).carl)
  })

  test('a peer that is gone is unreachable', async () => {
    const { bea, carl } = await linked((await packChain(1)).wires)
    const transport = overStreams(carl)
    await bea.node.close()
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'unreachable' })
    expect(await transport.push(new Uint8Array(3), never)).toMatchObject({ ok: false, reason: 'unreachable' })
  })

  test('what is no message is refused, and the next one is answered', async () => {
    const { carl } = await linked((await packChain(1)).wires)
    const [peerId = ''] = carl.network?.connected() ?? []
    const opening = await carl.network?.open(peerId, PACK_SYNC_PROTOCOL, never)
    if (opening?.ok !== true) throw new Error('no stream')
    const frames = frameStream(opening.stream, { frameBytesMax: 4_096 })
    await frames.write(Uint8Array.of(9, 9))
    const reading = await frames.read()
    expect(reading?.ok === true ? Buffer.from(reading.frame).toString() : '').toContain('bad-request')
    await frames.end()
    expect(await overStreams(carl).pull(ASK, never)).toMatchObject({ ok: true })
  })

  test('a peer has so many streams open and no more, and is served again when they end', async () => {
    const { carl } = await linked((await packChain(1)).wires)
    const [peerId = ''] = carl.network?.connected() ?? []
    const streams = []
    for (let count = 0; count < PACK_STREAMS_OF_PEER_MAX; count += 1) {
      const opening = await carl.network?.open(peerId, PACK_SYNC_PROTOCOL, never)
      if (opening?.ok !== true) throw new Error('no stream')
      const frames = frameStream(opening.stream, { frameBytesMax: 4_096 })
      streams.push({ frames, read: frames.read() })
    }
    const transport = overStreams(carl)
    await untilAnswer('it refuses', async () => !(await transport.pull(ASK, never)).ok)
    for (const { frames } of streams) frames.abort(new Error('enough'))
    await Promise.all(streams.map(({ read }) => read))
    await untilAnswer('it serves', async () => (await transport.pull(ASK, never)).ok)
  })

  test('one peer has as many requests under way as it may, and no more', async () => {
    const { bea } = await linked((await packChain(2)).wires)
    const asker = { did: CARL.signer.did, address: 'carl', via: 'sync' as const }
    const answers = await Promise.all(
      Array.from({ length: PACK_REQUESTS_OF_ASKER_MAX + 2 }, () => bea.node.packServing.packPage(ASK, asker))
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(PACK_REQUESTS_OF_ASKER_MAX)
    expect(
      answers.filter((answer) => !answer.ok && answer.reason === 'refused' && answer.code === 'busy')
    ).toHaveLength(2)
    expect(await bea.node.packServing.packPage(ASK, asker)).toMatchObject({ ok: true })
  })

  test('policy says who may pull and who may push', async () => {
    const bea = await openPackNode(BEA, { crossOrg: [{ from: CARL.orgId, to: ORG, operations: ['pack-pull'] }] })
    const { wires } = await packChain(2)
    await fill(bea, wires.slice(0, 1))
    const carl = { did: CARL.signer.did, address: 'carl', via: 'sync' as const }
    const [, second = new Uint8Array()] = wires
    expect(await bea.node.packServing.packPage(ASK, carl)).toMatchObject({ ok: true })
    const denied = { ok: false, reason: 'refused', code: 'denied' }
    expect(await bea.node.packServing.packPage({ ...ASK, orgId: BEA.orgId }, carl)).toMatchObject(denied)
    expect(await bea.node.packServing.takePack(second, carl)).toMatchObject(denied)
    expect(await bea.node.packServing.takePack(second, { did: null, address: '::1', via: 'http' })).toMatchObject(
      denied
    )
    expect(await bea.node.packServing.packPage(ASK, { ...carl, did: 'did:web:nobody.example' })).toMatchObject(denied)
    expect(bea.audited).toMatchObject([
      { action: 'FED_ANCHOR_SYNC_REJECT', actor: CARL.signer.did, subject: ORG, code: 'CROSS_ORG_DENIED' },
      { action: 'FED_ANCHOR_SYNC_REJECT', actor: '::1', code: 'CROSS_ORG_DENIED' }
    ])
  })
})

async function serving(handler: RequestListener): Promise<string> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('over HTTP', () => {
  transportContract({
    open: async (wires) => {
      const bea = await openPackNode(BEA)
      await fill(bea, wires)
      return httpTransport(await bea.serve(), systemClock)
    }
  })

  test('takes no more requests a minute than it says, and says when to come back', async () => {
    const bea = await openPackNode(BEA)
    // Time stands still: no bucket fills while the test asks.
    const url = `${await bea.serve(createHandClock())}/v1/packs/${BEA.orgId}`
    let response = await fetch(url)
    for (let asked = 1; asked <= PACK_REQUESTS_PER_MINUTE && response.status === 200; asked += 1) {
      await response.arrayBuffer()
      response = await fetch(url)
    }
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '10'])
    const post = await fetch(new URL('/v1/packs', url), {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: 'x'
    })
    expect([post.status, ((await post.json()) as { code: string }).code]).toEqual([429, 'RATE_LIMITED'])
  })

  test.each([
    ['/v1/packs/org-bea?after=-1', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?limit=0', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?limit=257', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?pageToken=', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?links=false', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?what=1', 400, 'QUERY_INVALID'],
    ['/v1/packs/org-bea?pageToken=AAAA', 400, 'BAD_TOKEN'],
    ['/v1/packs/org-nobody', 404, 'UNKNOWN_ORGANISATION'],
    ['/v1/packs/!', 404, 'NOT_FOUND'],
    ['/v1/packs', 404, 'NOT_FOUND']
  ])('GET %s is %i %s', async (path, status, code) => {
    const bea = await openPackNode(BEA)
    const response = await fetch(new URL(path, await bea.serve()))
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code])
  })

  test('follows no redirect, waits for nobody for ever, and reads no more than a page', async () => {
    const asked: string[] = []
    const clock = createHandClock()
    let answer: RequestListener = (request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(307, { location: '/elsewhere' }).end()
    }
    const address = await serving((request, response) => answer(request, response))
    const transport = httpTransport(`${address}/under/a/path?key=secret`, clock)
    expect(transport.name).toBe(`${address}/under/a/path`)
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'broken' })
    expect(asked).toEqual([`/under/a/path/v1/packs/${ORG}?key=secret&after=0&limit=8`])

    answer = (_request, response) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(1_048_577))
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'broken' })

    const began = Promise.withResolvers<void>()
    answer = () => began.resolve()
    const waiting = transport.pull(ASK, never)
    await began.promise
    await clock.advance(30_000)
    expect(await waiting).toMatchObject({ ok: false, reason: 'unreachable' })

    const closed = httpTransport('http://127.0.0.1:1', systemClock)
    expect(await closed.pull(ASK, never)).toMatchObject({ ok: false, reason: 'unreachable' })

    answer = (_request, response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<p>no')
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'broken' })
    answer = (_request, response) => void response.writeHead(503).end()
    expect(await transport.push(new Uint8Array(4), never)).toMatchObject({ ok: false, reason: 'unreachable' })
  })
})

describe('in a file', () => {
  const fileWith = (wires: readonly Uint8Array[]): string => {
    const path = join(newFolder(), 'ada.packs')
    const half = Math.ceil(wires.length / 2)
    const pages = [wires.slice(0, half), wires.slice(half)]
    for (const packs of pages) {
      const page = encodePackPage({ packs, nextPageToken: null, headPackSeq: 0, servedAt: 1_700_000_000_000 })
      appendFileSync(path, Buffer.concat([page, Buffer.from('\n')]))
    }
    return path
  }

  transportContract({ open: (wires) => Promise.resolve(fileTransport(fileWith(wires), systemClock)) })

  test('is made by the first push, and not by a pull', async () => {
    const path = join(newFolder(), 'new.packs')
    const transport = fileTransport(path, systemClock)
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'unreachable' })
    expect(existsSync(path)).toBe(false)
    const { wires } = await packChain(1)
    expect(await transport.push(wires[0] ?? new Uint8Array(), never)).toMatchObject({
      outcome: { outcome: 'accepted' }
    })
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: true })
  })

  test('that somebody did not finish is read up to there, and gone on from there', async () => {
    const { wires } = await packChain(3)
    const path = fileWith(wires.slice(0, 2))
    const whole = readFileSync(path)
    for (const cut of [1, whole.length - 1, Math.floor(whole.length / 2)]) {
      writeFileSync(path, Buffer.concat([whole, whole.subarray(0, cut).subarray(0, whole.indexOf(10))]))
      const transport = fileTransport(path, systemClock)
      const answer = await transport.pull(ASK, never)
      if (!answer.ok) throw new Error(answer.detail)
      expect(decodePackPage(answer.page)).toMatchObject({ page: { headPackSeq: 2 } })
      expect(await transport.push(wires[2] ?? new Uint8Array(), never)).toMatchObject({
        outcome: { outcome: 'accepted' }
      })
      const lines = readFileSync(path, 'utf8').split('\n')
      expect(lines).toHaveLength(4)
      for (const line of lines.slice(0, 3)) expect(decodePackPage(Buffer.from(line))).toMatchObject({ ok: true })
    }
  })

  test('that holds something else is no source, and stays as it is', async () => {
    const path = join(newFolder(), 'notes.txt')
    writeFileSync(path, 'some notes\nof mine\n')
    const transport = fileTransport(path, systemClock)
    expect(await transport.pull(ASK, never)).toMatchObject({ ok: false, reason: 'broken' })
    const { wires } = await packChain(1)
    expect(await transport.push(wires[0] ?? new Uint8Array(), never)).toMatchObject({ ok: false, reason: 'broken' })
    expect(readFileSync(path, 'utf8')).toBe('some notes\nof mine\n')
  })

  test('takes pushes at the same time, each whole', async () => {
    const { wires } = await packChain(12)
    const path = join(newFolder(), 'many.packs')
    const [one, other] = [fileTransport(path, systemClock), fileTransport(path, systemClock)]
    await Promise.all(wires.map((wire, index) => (index % 2 === 0 ? one : other).push(wire, never)))
    const answer = await fileTransport(path, systemClock).pull({ ...ASK, limit: 64 }, never)
    if (!answer.ok) throw new Error(answer.detail)
    const decoding = decodePackPage(answer.page)
    expect(decoding.ok ? decoding.page.packs.length : 0).toBe(12)
  })
})
