import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { Operations } from '../../src/operations.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { until } from '../support/until.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { AUTHORIZED, adminListener, ask, problemOf } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const LINES = { 'content-type': 'application/x-ndjson' }
const FRAMES = { 'content-type': 'application/vnd.anchormesh.events' }
const WIRE = { 'content-type': 'application/octet-stream' }
const BATCH = `batches?namespace=${NAMESPACE}&batchId=b1`

const linesIn = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)

describe('POST batches', () => {
  const upload = async (operations: Operations, body: string): Promise<Response> => {
    const { url } = await adminListener({ operations })
    return await ask(url(BATCH), { method: 'POST', headers: LINES, body })
  }

  it('seals what comes in, blank lines aside', async () => {
    const operations = memoryNode()
    const response = await upload(operations, '{"b":1,"a":[1.0]}\r\n\n "text"\nnull')
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    expect(linesIn(await response.text())).toEqual([
      { result: expect.objectContaining({ batchId: 'b1', receiptCount: 3 }) as object }
    ])
    expect([...operations.sealed.values()]).toEqual([[{ b: 1, a: [1] }, 'text', null]])
  })

  it.each([
    ['no JSON', '1\n2\n{"a":\n4\n', 3, 'MALFORMED'],
    ['a repeated member', '1\n{"a":1,"b":{"c":1,"c":2}}\n', 2, 'DUPLICATE_KEY'],
    ['a number that would be rounded', '9007199254740993\n', 1, 'NUMBER_NOT_IJSON'],
    ['an infinite number', '1\n\n1e999\n', 3, 'NUMBER_NOT_IJSON'],
    ['a lone surrogate', '"\\ud800"\n', 1, 'LONE_SURROGATE'],
    ['too many levels', `${'['.repeat(5_000)}${']'.repeat(5_000)}\n`, 1, 'more than 32 levels'],
    ['a line longer than a receipt', `1\n"${'x'.repeat(70_000)}"\n`, 2, 'is longer than 65536 bytes']
  ])('names the line that holds %s, and seals nothing', async (_name, body, line, reason) => {
    const operations = memoryNode()
    const told = await problemOf(await upload(operations, body))
    expect(told).toMatchObject({ status: 422, code: 'RECEIPTS_INVALID', data: { line } })
    expect(told.detail).toContain(`line ${line}: `)
    expect(told.detail).toContain(reason)
    expect(operations.sealed.size).toBe(0)
  })

  it('names a line that is not UTF-8', async () => {
    const { url } = await adminListener()
    const response = await ask(url(BATCH), {
      method: 'POST',
      headers: LINES,
      body: new Uint8Array([0x31, 0x0a, 0xff, 0x0a])
    })
    expect(await problemOf(response)).toMatchObject({ code: 'RECEIPTS_INVALID', data: { line: 2 } })
  })

  it('passes on what the node refuses', async () => {
    const operations = memoryNode()
    await operations.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: [1] })
    expect(await problemOf(await upload(operations, '1\n'))).toMatchObject({
      status: 409,
      code: 'BATCH_EXISTS',
      hint: 'choose another id'
    })
    expect(await problemOf(await upload(memoryNode(), ''))).toMatchObject({ status: 422, code: 'RECEIPTS_INVALID' })
  })

  it('answers a refusal although megabytes are still to come, and serves the next request', async () => {
    const { url } = await adminListener()
    const response = await ask(url(BATCH), {
      method: 'POST',
      headers: LINES,
      body: `nonsense\n${'1\n'.repeat(4_000_000)}`
    })
    expect(await problemOf(response)).toMatchObject({ code: 'RECEIPTS_INVALID', data: { line: 1 } })
    expect((await ask(url('status'))).status).toBe(200)
  })

  it('takes no more of a body than the node has asked for', async () => {
    const gate = Promise.withResolvers<void>()
    const seal: Operations['seal'] = async ({ receipts }) => {
      await gate.promise
      let receiptCount = 0
      for await (const receipt of receipts) receiptCount += receipt === null ? 0 : 1
      return { namespace: NAMESPACE, owner: 'org', batchId: 'b1', batchRoot: '', receiptCount, logSeq: 1 }
    }
    const { listener } = await adminListener({ operations: memoryNode({ seal }) })
    const { hostname, port } = new URL(listener.url)
    const socket = connect(Number(port), hostname)
    const total = 64 * 1024 * 1024
    socket.write(
      `POST /v1/admin/${BATCH} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${AUTHORIZED.authorization}\r\ncontent-type: application/x-ndjson\r\ncontent-length: ${total}\r\nconnection: close\r\n\r\n`
    )
    const piece = Buffer.from(`"${'x'.repeat(1_021)}"\n`)
    let written = 0
    const pump = (): void => {
      while (written < total && !socket.writableNeedDrain) {
        socket.write(piece)
        written += piece.length
      }
      if (written < total) socket.once('drain', pump)
    }
    pump()
    // Standing still: what the kernel's two buffers and this socket hold is all that was taken.
    let before = -1
    await until('the upload to stand still', () => {
      const standing = written === before && socket.writableNeedDrain
      before = written
      return standing
    })
    expect(written).toBeLessThan(total / 2)
    gate.resolve()
    let answer = ''
    for await (const chunk of socket) answer += (chunk as Buffer).toString('utf8')
    expect(answer).toContain(`"receiptCount":${total / 1_024}`)
  })

  it('ends a seal whose client goes away in the middle', async () => {
    const failed = Promise.withResolvers<unknown>()
    const lines: LogLine[] = []
    const logger = recordingLogger(lines)
    const seal: Operations['seal'] = async ({ receipts }) => {
      try {
        for await (const receipt of receipts) expect(receipt).toBe(1)
      } catch (error) {
        failed.resolve(error)
        throw error
      }
      throw new Error('not cut off')
    }
    const { listener } = await adminListener({ operations: memoryNode({ seal }), logger })
    const { hostname, port } = new URL(listener.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(
      `POST /v1/admin/${BATCH} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${AUTHORIZED.authorization}\r\ncontent-type: application/x-ndjson\r\ncontent-length: 100\r\n\r\n1\n1\n`
    )
    await until('the request to be under way', () => socket.bytesWritten > 0)
    socket.destroy()
    expect(await failed.promise).toMatchObject({ code: 'ECONNRESET' })
    await until('the log line', () => lines.some(({ message }) => message.startsWith('a client went away')))
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('POST log/import', () => {
  it('refuses a stream that ends inside a frame', async () => {
    const operations = memoryNode()
    const { url } = await adminListener({ operations })
    const body = new Uint8Array([0, 0, 0, 1, 65, 0, 0, 0, 9, 66])
    const response = await ask(url('log/import'), { method: 'POST', headers: FRAMES, body })
    // The first event was taken in and told of, so the status is gone.
    const last = linesIn(await response.text()).at(-1)
    expect(last).toMatchObject({ error: { code: 'BODY_MALFORMED', detail: 'the stream ends inside frame 2' } })
    expect(operations.log).toHaveLength(1)
    const other = await ask(url('log/import'), { method: 'POST', headers: FRAMES, body: body.slice(0, 3) })
    expect(await problemOf(other)).toMatchObject({ status: 400, code: 'BODY_MALFORMED' })
  })

  it('wants frames', async () => {
    const { url } = await adminListener()
    expect(
      await problemOf(await ask(url('log/import'), { method: 'POST', headers: WIRE, body: new Uint8Array(4) }))
    ).toMatchObject({ status: 415 })
  })
})

describe('long work', () => {
  it.each([
    ['log/verify', { done: 1, total: 0, unit: 'records' }, { ok: true }],
    ['verify-online', { done: 1, total: 2, unit: 'timestamp anchors' }, { lostCount: 0 }],
    ['log/rebuild', { done: 1, total: null, unit: 'records' }, [{ projection: 'batches' }]]
  ])('POST %s tells of its progress, then its result', async (path, progress, result) => {
    const { url } = await adminListener()
    const response = await ask(url(path), { method: 'POST' })
    expect(response.status).toBe(200)
    expect(linesIn(await response.text())).toMatchObject([{ progress }, { result }])
  })

  it.each(['since=yesterday', 'since=-1', 'namespace=NO', 'batchId=b1'])('refuses to verify %s', async (query) => {
    const { url } = await adminListener()
    const response = await ask(url(`verify-online?${query}`), { method: 'POST' })
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'QUERY_INVALID' })
  })

  it('has a status for a failure before the first line, and a last line for a later one', async () => {
    const refused = new AnchormeshError('STORE_FULL', 'no room', { hint: 'make some' })
    const early = await adminListener({ operations: memoryNode({ verifyLog: () => Promise.reject(refused) }) })
    const response = await ask(early.url('log/verify'), { method: 'POST' })
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'STORE_FULL', hint: 'make some' })
    expect(response.headers.get('retry-after')).toBe('60')
    const verifyLog: Operations['verifyLog'] = async (onProgress) => {
      onProgress?.({ done: 1, total: 2, unit: 'records' })
      await late.asked.promise
      throw refused
    }
    const late = {
      ...(await adminListener({ operations: memoryNode({ verifyLog }) })),
      asked: Promise.withResolvers<void>()
    }
    const begun = await ask(late.url('log/verify'), { method: 'POST' })
    expect(begun.status).toBe(200)
    late.asked.resolve()
    expect(linesIn(await begun.text())).toMatchObject([
      { progress: { done: 1 } },
      { error: { code: 'STORE_FULL', status: 503, hint: 'make some' } }
    ])
  })
})
