import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { TokenRequest } from '../../src/access/token-operations.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { createAdminClient } from '../../src/http/admin-client.ts'
import type { AdminClient } from '../../src/http/admin-client.ts'
import type { OnlineVerification, Operations } from '../../src/operations.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { FailureCode } from '../../src/platform/errors.ts'
import { openWorld } from '../access/world.ts'
import { json } from '../protocols/json-arbitrary.ts'
import { ORG, keyOf, openMachines, share } from '../packs/organisation.ts'
import { until } from '../support/until.ts'
import { adminListener, all, nodeWith } from './support/listeners.ts'
import { NAMESPACE, memoryNode } from './support/memory-operations.ts'

const clientOf = async (operations: Operations): Promise<AdminClient> => (await adminListener({ operations })).client

async function* each<Value>(values: Iterable<Value>): AsyncGenerator<Value> {
  yield* values
}

/** A server that is no Anchormesh node, or one that fails in mid-answer. */
async function otherServer(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('every operation gives over HTTP what it gives in the process', () => {
  it('keys and packs', async () => {
    const [first, second] = await openMachines(['first', 'second'])
    if (first === undefined || second === undefined) throw new Error('no machines')
    const [client, other] = await Promise.all([first, second].map(async ({ node }) => await clientOf(node)))
    if (client === undefined || other === undefined) throw new Error('no clients')
    const guest = keyOf(second.self)
    expect(await client.addKey({ ...guest, uses: ['event', 'pack'], notAfter: 7 })).toMatchObject({ kid: guest.kid })
    expect(await client.publishPack({ validDays: 7 })).toMatchObject({ packSeq: 1, orgId: ORG })
    await share(first, second)
    expect(await client.signers()).toEqual(await first.node.signers())
    expect(await client.setKeyThreshold({ threshold: 2 })).toMatchObject({ intendedThreshold: 2 })
    const rotated = await client.rotateKey({ reason: 'yearly' })
    const drafted = await client.draftPack({ with: [guest.kid], delta: true })
    expect(drafted.missing).toEqual([guest.kid])
    expect(await other.viewDraft(drafted.draft)).toEqual(await second.node.viewDraft(drafted.draft))
    const signed = await other.signPack(drafted.draft)
    expect(await client.completePack(signed.draft)).toMatchObject({ packSeq: 2, packHash: drafted.packHash })
    expect(await client.packs({ packSeq: 2 })).toEqual(await first.node.packs({ packSeq: 2 }))
    expect(await client.packs({ orgId: ORG })).toMatchObject([{ packSeq: 2 }])
    const { kid } = rotated.added
    expect(await client.trustProof({ kid, orgId: ORG })).toEqual(await first.node.trustProof({ kid }))
    expect(await client.retireKey({ kid: guest.kid, reason: 'gone' })).toMatchObject({ intended: { reason: 'gone' } })
    expect(await client.revokeKey({ kid: guest.kid, reason: 'lost', lastGood: 'none' })).toMatchObject({
      intended: { status: 'REVOKED', lastGood: [] }
    })
    await expect(client.revokeKey({ kid, reason: 'lost' })).rejects.toMatchObject({
      code: 'LAST_GOOD_REQUIRED',
      detail: { kid, tips: [] }
    })
    await expect(client.draftPack({ with: ['nobody'] })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'PACK_SIGNER_FOREIGN' }
    })
    await expect(client.pinPack({ orgId: ORG, packSeq: 1, hash: 'a'.repeat(64) })).rejects.toMatchObject({
      code: 'PINS_NOT_KEPT'
    })
  })

  it('access tokens', async () => {
    const { node } = await openWorld()
    const client = await clientOf(node)
    const request = { namespaces: ['a:one'], tenant: 'alpha', rights: ['read', 'hand-in'], label: 'x', ttlMs: 60_000 }
    const { token, ...view } = await client.createToken(request as TokenRequest)
    expect(await client.tokens()).toEqual([view])
    expect(await node.tokens()).toEqual([view])
    expect(token.startsWith(`${view.id}.`)).toBe(true)
    expect(await client.revokeToken(view.id)).toEqual(view)
    await expect(client.revokeToken(view.id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(client.createToken({ namespaces: ['x:y'], rights: ['read'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      detail: { namespace: 'x:y' }
    })
    await expect(client.createToken({ namespaces: [], rights: ['read'] })).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('status, query, digest, publishPack', async () => {
    const node = nodeWith(3)
    const client = await clientOf(node)
    expect(await client.status()).toEqual(await node.status())
    const query = {
      namespace: NAMESPACE,
      batchId: 'a',
      signer: 'did:web:a',
      status: 'x',
      fromTs: 1,
      toTs: 2,
      limit: 3,
      cursor: 'c',
      at: 4,
      waitFor: 5
    }
    expect(await client.query('batches', query)).toEqual(await node.query('batches', query))
    expect(await client.query('batches', {})).toEqual(await node.query('batches', {}))
    expect(await client.digest(NAMESPACE)).toEqual(await node.digest(NAMESPACE))
    expect(await client.publishPack()).toEqual(await node.publishPack())
  })

  it('event and events', async () => {
    const node = nodeWith(300)
    const client = await clientOf(node)
    expect(await client.event(node.log[7]?.id ?? '')).toEqual(node.log[7])
    expect(await client.event('0'.repeat(64))).toBeNull()
    expect(await all(client.events({}))).toEqual(node.log)
    expect(
      await all(client.events({ after: 290, limit: 4, scope: 'all', namespace: NAMESPACE, follow: false }))
    ).toEqual(node.log.slice(290, 294))
    expect(await all(client.events({ namespace: 'dao:other' }))).toEqual([])
  })

  it('submit, with each outcome', async () => {
    const client = await clientOf(memoryNode())
    const id = sha256Hex('wire')
    expect(await client.submit(Buffer.from('wire'))).toEqual({ outcome: 'accepted', id, logSeq: 1 })
    expect(await client.submit(Buffer.from('wire'))).toEqual({ outcome: 'duplicate', id, logSeq: 1 })
    expect(await client.submit(new Uint8Array(60_000))).toEqual({
      outcome: 'rejected',
      code: 'EVENT_TOO_LARGE',
      detail: '60000 bytes',
      id: null
    })
    expect(await client.submit(new Uint8Array(3_000_000))).toMatchObject({
      outcome: 'rejected',
      code: 'EVENT_TOO_LARGE',
      id: null
    })
    for (const outcome of [
      { outcome: 'pending', code: 'KEY_UNKNOWN', detail: 'wait', id },
      { outcome: 'ignored', code: 'STORE_FULL', detail: 'no room', id },
      { outcome: 'rejected', code: 'CODE_OF_TOMORROW', detail: 'no', id: null }
    ] as const) {
      const one = await clientOf(memoryNode({ submit: async () => outcome }))
      expect(await one.submit(Buffer.from('x'))).toEqual(outcome)
    }
  })

  it('seal and proofs, for any receipts', async () => {
    const node = memoryNode()
    const client = await clientOf(node)
    let batches = 0
    await fc.assert(
      fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 6 }), async (receipts) => {
        batches += 1
        const batchId = `b${batches}`
        const sealed = await client.seal({
          namespace: NAMESPACE,
          batchId,
          receipts: batches % 2 === 0 ? receipts : each(receipts)
        })
        expect(sealed).toMatchObject({ batchId, receiptCount: receipts.length })
        expect((node.sealed.get(`${NAMESPACE} ${batchId}`) ?? []).map((receipt) => encodeCanonical(receipt))).toEqual(
          receipts.map((receipt) => encodeCanonical(receipt))
        )
        expect(await all(client.proofs(NAMESPACE, batchId))).toEqual(await all(node.proofs(NAMESPACE, batchId)))
      }),
      { numRuns: 25 }
    )
  })

  it('anchor, upgradeAnchors, splitAnchors, importProof', async () => {
    const node = nodeWith(1)
    const client = await clientOf(node)
    const batch = { namespace: NAMESPACE, batchId: 'b1' }
    await node.seal({ ...batch, receipts: [1] })
    for (const request of [
      { ...batch, rail: 'tsa' },
      { ...batch, rail: 'evm', chainId: 'eip155:1' }
    ] as const)
      expect(await client.anchor(request)).toEqual(await node.anchor(request))
    await expect(client.anchor({ ...batch, batchId: 'b2', rail: 'tsa' })).rejects.toMatchObject({
      code: 'BATCH_UNKNOWN'
    })
    const progress: unknown[] = []
    expect(await client.upgradeAnchors({}, (told) => progress.push(told))).toEqual(await node.upgradeAnchors({}))
    expect(progress).toEqual([{ done: 1, total: 1, unit: 'batches' }])
    const query = { namespace: 'dao:other' }
    expect(await client.upgradeAnchors(query)).toEqual(await node.upgradeAnchors(query))
    const split = { ...batch, chainId: 'eip155:1' }
    expect(await client.splitAnchors(split)).toEqual(await node.splitAnchors(split))
    const proof = { ...batch, proof: 'AAAA' }
    expect(await client.importProof(proof)).toEqual(await node.importProof(proof))
    await expect(client.importProof({ ...proof, proof: '=' })).rejects.toMatchObject({
      detail: { code: 'BODY_INVALID' }
    })
  })

  it('handIn, and what is wrong with it', async () => {
    const node = memoryNode()
    const client = await clientOf(node)
    const receipts = [{ a: 1 }, 'two']
    expect(await client.handIn({ namespace: NAMESPACE, receipts })).toEqual(
      await node.handIn({ namespace: NAMESPACE, receipts })
    )
    const full = new AnchormeshError('RECEIPTS_QUEUE_FULL', 'too many wait', { hint: 'later' })
    const refusing = await clientOf(memoryNode({ handIn: () => Promise.reject(full) }))
    await expect(refusing.handIn({ namespace: NAMESPACE, receipts: each(receipts) })).rejects.toMatchObject({
      code: 'RECEIPTS_QUEUE_FULL',
      hint: 'later'
    })
  })

  it('the proof of a receipt', async () => {
    const node = memoryNode()
    const client = await clientOf(node)
    await client.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: ['ä'] })
    const request = { namespace: NAMESPACE, batchId: 'b1', leafHash: sha256Hex('a leaf') }
    expect(await client.proof(request)).toEqual(await node.proof(request))
    const unknown = client.proof({ ...request, batchId: 'b2' })
    await expect(unknown).rejects.toMatchObject({ code: 'BATCH_UNKNOWN', hint: 'seal it first' })
    await expect(client.proof({ ...request, leafHash: 'a leaf' })).rejects.toThrow(/is no leaf hash/)
  })

  it('announce', async () => {
    const client = await clientOf(memoryNode())
    await client.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: [1] })
    const request = { namespace: NAMESPACE, batchId: 'b1', timestampAnchors: [] }
    expect(await client.announce(request)).toEqual({ id: sha256Hex('published'), logSeq: 7, recipients: 2 })
    await expect(client.announce({ ...request, batchId: 'b2' })).rejects.toMatchObject({
      code: 'BATCH_UNKNOWN',
      hint: 'seal it first'
    })
  })

  it('verifyLog and rebuild, with their progress', async () => {
    const node = nodeWith(2)
    const client = await clientOf(node)
    const told: unknown[] = []
    expect(await client.verifyLog((progress) => told.push(progress))).toEqual(await node.verifyLog())
    expect(await client.rebuild((progress) => told.push(progress))).toEqual(await node.rebuild())
    expect(told).toEqual([
      { done: 1, total: 2, unit: 'records' },
      { done: 1, total: null, unit: 'records' }
    ])
  })

  it('verifyOnline, with its query and its progress', async () => {
    const answer: OnlineVerification = {
      rails: [
        {
          rail: 'btc',
          checked: 4,
          verified: 1,
          pending: 1,
          invalid: 1,
          unreachable: 1,
          notChecked: 2,
          changed: 2
        }
      ],
      lost: [
        {
          namespace: NAMESPACE,
          owner: 'org',
          batchId: 'b1',
          chainId: 'btc:mainnet',
          evidenceId: 'a'.repeat(64),
          outcome: 'invalid',
          code: 'BTC_NOT_BEST_CHAIN',
          detail: 'another block'
        }
      ],
      lostCount: 2,
      unconfirmed: 1
    }
    const asked: unknown[] = []
    const client = await clientOf(
      memoryNode({
        verifyOnline: async (query, onProgress) => {
          asked.push(query)
          onProgress?.({ done: 1, total: 6, unit: 'timestamp anchors' })
          return answer
        }
      })
    )
    const told: unknown[] = []
    const query = { namespace: NAMESPACE, since: 1_700_000_000_000 }
    expect(await client.verifyOnline(query, (progress) => told.push(progress))).toEqual(answer)
    expect(await client.verifyOnline({})).toEqual(answer)
    expect(asked).toEqual([query, {}])
    expect(told).toEqual([{ done: 1, total: 6, unit: 'timestamp anchors' }])
  })

  it('exportEvents and importEvents, there and back', async () => {
    const node = nodeWith(1_000)
    const source = await clientOf(node)
    const copy = memoryNode()
    const target = await clientOf(copy)
    const told: number[] = []
    const result = await target.importEvents(source.exportEvents(), ({ done }) => told.push(done))
    expect(result).toEqual({ read: 1_000, accepted: 1_000, duplicate: 0, pending: 0, refused: {} })
    expect(copy.log.map(({ bytes }) => bytes)).toEqual(node.log.map(({ bytes }) => bytes))
    expect(told[0]).toBe(1)
    expect(
      await target.importEvents(each([Buffer.from('event 1'), Buffer.from('new'), new Uint8Array(100_000)]))
    ).toEqual({
      read: 3,
      accepted: 1,
      duplicate: 1,
      pending: 0,
      refused: { EVENT_TOO_LARGE: 1 }
    })
    expect(await all(source.exportEvents('dao:other'))).toEqual([])
  })

  it('shutdown', async () => {
    const stopped = Promise.withResolvers<void>()
    const { client } = await adminListener({ shutdown: stopped.resolve })
    await client.shutdown()
    await stopped.promise
    await expect(client.shutdown()).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  })
})

describe('failures', () => {
  const CODES: readonly FailureCode[] = [
    'STORE_CORRUPT',
    'STORE_FULL',
    'OWN_CHAIN_BEHIND',
    'NOT_FOUND',
    'QUERY_INVALID',
    'UNKNOWN_PROJECTION',
    'STATE_OUTDATED',
    'CURSOR_TOO_OLD',
    'CURSOR_FOREIGN',
    'CURSOR_FUTURE',
    'NOT_YET',
    'PROJECTION_HALTED',
    'BATCH_EXISTS',
    'BATCH_UNKNOWN',
    'RECEIPTS_INVALID',
    'PUBLISH_REFUSED',
    'TSA_REQUEST_FAILED'
  ]

  it.each(CODES)('%s comes back as it was thrown', async (code) => {
    const thrown = new AnchormeshError(code, 'what happened', {
      hint: 'what to do',
      detail: { figure: 3, oldest: 2, code: 'ROLE_MISSING' }
    })
    const fail = (): Promise<never> => Promise.reject(thrown)
    const failing = async function* (): AsyncGenerator<never> {
      yield await fail()
    }
    const client = await clientOf(
      memoryNode({ query: fail, publishPack: fail, verifyLog: fail, events: failing, exportEvents: failing })
    )
    const attempts = [
      client.query('batches', {}),
      client.publishPack(),
      client.verifyLog(),
      all(client.events({})),
      all(client.exportEvents())
    ]
    for (const result of await Promise.allSettled(attempts)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code, message: 'what happened', hint: 'what to do', detail: thrown.detail }
      })
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(AnchormeshError)
    }
  })

  it('a defect is one here too', async () => {
    const client = await clientOf(memoryNode({ status: () => Promise.reject(new TypeError('x')) }))
    await expect(client.status()).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('a failure after the first line comes back as well', async () => {
    const events: Operations['events'] = async function* () {
      yield* nodeWith(1).log
      throw new AnchormeshError('STORE_CORRUPT', 'record 2 is damaged')
    }
    const client = await clientOf(memoryNode({ events }))
    const seen: number[] = []
    const reading = (async () => {
      for await (const { logSeq } of client.events({})) seen.push(logSeq)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'STORE_CORRUPT', message: 'record 2 is damaged' })
    expect(seen).toEqual([1])
  })

  it('an export that fails half-way is never taken for a whole one', async () => {
    const gate = Promise.withResolvers<void>()
    const exportEvents: Operations['exportEvents'] = async function* () {
      yield Buffer.from('one')
      await gate.promise
      throw new AnchormeshError('STORE_CORRUPT', 'record 2 is damaged')
    }
    const client = await clientOf(memoryNode({ exportEvents }))
    const reading = (async () => {
      for await (const wire of client.exportEvents()) {
        expect(Buffer.from(wire).toString('utf8')).toBe('one')
        gate.resolve()
      }
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'NODE_NOT_RUNNING',
      message: expect.stringContaining('broke its answer off') as string
    })
  })

  it('another token is refused', async () => {
    const { listener } = await adminListener()
    await expect(createAdminClient({ url: listener.url, token: 'other' }).status()).rejects.toMatchObject({
      code: 'ADMIN_TOKEN_INVALID'
    })
  })

  it('nobody there is NODE_NOT_RUNNING', async () => {
    const { listener, client } = await adminListener()
    await listener.close()
    for (const failed of [
      client.status(),
      all(client.events({ follow: true })),
      client.seal({ namespace: NAMESPACE, batchId: 'b', receipts: [1] })
    ]) {
      await expect(failed).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING', hint: 'Start it: anchormesh start' })
    }
  })

  it.each([
    ['says that all is well in HTML', 200, 'text/html', '<p>hello'],
    ['has no such page', 404, 'text/html', '<p>not found'],
    ['has an error of its own', 500, 'application/json', '{"error":"x"}'],
    ['sends elsewhere', 302, 'text/html', '']
  ])('somebody else who %s is NODE_NOT_RUNNING', async (_name, status, type, body) => {
    const url = await otherServer((_request, response) => {
      response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(body)
    })
    await expect(createAdminClient({ url, token: 'x' }).status()).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  })

  it.each([
    ['another form', '{"did":1}'],
    ['no JSON', '{']
  ])('an answer in %s is told as such', async (_name, body) => {
    const url = await otherServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    })
    await expect(createAdminClient({ url, token: 'x' }).status()).rejects.toMatchObject({
      code: 'INTERNAL',
      hint: expect.stringContaining('release') as string
    })
  })

  it('an answer without a result is told as such', async () => {
    const url = await otherServer((_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/x-ndjson' })
        .end('{"progress":{"done":1,"total":1,"unit":"x"}}\n')
    })
    await expect(createAdminClient({ url, token: 'x' }).verifyLog()).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it.each([
    ['a number beyond I-JSON', Number.POSITIVE_INFINITY],
    ['a lone surrogate', '\ud800'],
    ['more than 32 levels', Array.from({ length: 40 }).reduce<JsonValue>((inner) => [inner], 1)]
  ])('a receipt with %s is never sent', async (_name, receipt) => {
    const node = memoryNode()
    const client = await clientOf(node)
    await expect(client.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: [1, receipt] })).rejects.toMatchObject({
      code: 'RECEIPTS_INVALID',
      detail: { index: 1 }
    })
    expect(node.sealed.size).toBe(0)
  })

  it('what the receipts or events themselves throw is thrown, before and after the answer has begun', async () => {
    const mine = new AnchormeshError('USAGE', 'file.jsonl, line 3: is not JSON')
    const node = memoryNode()
    const client = await clientOf(node)
    const broken = async function* (told: Promise<void>): AsyncGenerator<Buffer> {
      // More than one piece, so that the node hears of it.
      yield Buffer.alloc(40_000, 1)
      yield Buffer.alloc(40_000, 2)
      await told
      throw mine
    }
    const receipts = async function* (): AsyncGenerator<number> {
      yield 1
      throw mine
    }
    await expect(client.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: receipts() })).rejects.toBe(mine)
    const begun = Promise.withResolvers<void>()
    await expect(client.importEvents(broken(begun.promise), () => begun.resolve())).rejects.toBe(mine)
    expect([node.sealed.size, node.log.length]).toEqual([0, 2])
  })

  it('a refusal stops the reading of what was to be sent', async () => {
    const node = memoryNode()
    await node.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: [1] })
    const client = await clientOf(node)
    let ended = false
    const endless = async function* (): AsyncGenerator<string> {
      try {
        for (;;) yield 'x'.repeat(1_000)
      } finally {
        ended = true
      }
    }
    await expect(client.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: endless() })).rejects.toMatchObject({
      code: 'BATCH_EXISTS'
    })
    await until('the receipts to be let go', () => ended)
  })
})

describe('following', () => {
  it('gives what was logged and what is logged, until the signal aborts', async () => {
    const node = nodeWith(2)
    const client = await clientOf(node)
    const controller = new AbortController()
    const seen: number[] = []
    const following = (async () => {
      for await (const { logSeq } of client.events({ follow: true, after: 1 }, controller.signal)) {
        seen.push(logSeq)
        if (seen.length === 1) node.append(Buffer.from('third'))
        if (seen.length === 2) controller.abort()
      }
    })()
    await following
    expect(seen).toEqual([2, 3])
    await until('the node to have no follower', () => node.followers() === 0)
  })

  it('ends before it has begun when the signal has', async () => {
    const client = await clientOf(nodeWith(1))
    expect(await all(client.events({ follow: true }, AbortSignal.abort()))).toEqual([])
  })

  it('ends on the node when the reader stops', async () => {
    const node = nodeWith(1)
    const client = await clientOf(node)
    for await (const { logSeq } of client.events({ follow: true })) {
      expect(logSeq).toBe(1)
      await until('the node to wait for more', () => node.followers() === 1)
      break
    }
    await until('the node to have no follower', () => node.followers() === 0)
  })

  it('is lazy: nothing is asked before the first event is', async () => {
    let asked = 0
    const events: Operations['events'] = async function* () {
      asked += 1
      yield* nodeWith(1).log
    }
    const client = await clientOf(memoryNode({ events }))
    const listing = client.events({})
    expect(asked).toBe(0)
    expect(await all(listing)).toHaveLength(1)
    expect(asked).toBe(1)
  })

  it('takes no more of the log than the reader does', async () => {
    let given = 0
    const wire = 'A'.repeat(60_000)
    const events: Operations['events'] = async function* () {
      for (; given < 5_000; given += 1) yield { logSeq: given + 1, scope: 'shared', id: null, bytes: wire, event: {} }
    }
    const client = await clientOf(memoryNode({ events }))
    const reader = client.events({})[Symbol.asyncIterator]()
    await reader.next()
    // Standing still, although the reader has taken one: the buffers between are full.
    let before = -1
    await until('the node to stand still', () => {
      const standing = given === before
      before = given
      return standing
    })
    expect(given).toBeLessThan(2_500)
    await reader.return?.()
  })
})
