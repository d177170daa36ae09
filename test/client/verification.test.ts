import { afterEach, describe, expect, test } from 'vitest'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { createClient, memoryCursorStore } from '../../src/client/index.ts'
import type { Client, Fetch, LoggedEventAnswer, TrustOptions, VerifyOptions } from '../../src/client/index.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import type { Listener } from '../../src/http/listener.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { next } from '../support/events.ts'
import { ALICE, BATCH, announce, judged, openProver, sealed, stampOver, stampVerifier } from '../proofs/support.ts'
import { failureOf } from './support.ts'

const opened: (Pick<AnchormeshNode, 'close'> | Listener)[] = []

afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

/** A node that serves, with a stamped batch of three receipts. */
async function servingNode(): Promise<{ node: AnchormeshNode; url: string; leaves: readonly string[]; root: string }> {
  const node = await openProver()
  const listener = await startPublicListener({
    listen: '127.0.0.1:0',
    operations: node,
    logger: silentLogger,
    clock: systemClock
  })
  opened.push(node, listener)
  const batch = await sealed(node, 3)
  await announce(node, [stampOver(batch.root)])
  await judged(node, 'rfc3161:stamp', 'verified')
  return { node, url: listener.url, ...batch }
}

const TRUST: TrustOptions = { verifiers: [stampVerifier], finality: () => ({}) }

const verifying = (url: string, options: Partial<VerifyOptions> = {}, lie?: Fetch): Client =>
  createClient({ url, verify: { trust: TRUST, ...options }, ...(lie === undefined ? {} : { fetch: lie }) })

/** What the node answers, after somebody on the way has changed it. */
const changing =
  (path: RegExp, change: (text: string) => string): Fetch =>
  async (url, init) => {
    const response = await fetch(url, init)
    if (!path.test(url)) return response
    return new Response(change(await response.text()), response)
  }

async function eventsOf(client: Client): Promise<LoggedEventAnswer[]> {
  const events: LoggedEventAnswer[] = []
  for await (const event of client.events({ namespace: NAMESPACE })) events.push(event)
  return events
}

/** One bit of the wire bytes is another. */
function flipped(event: LoggedEventAnswer, at: number): string {
  const bytes = fromBase64url(event.bytes) ?? new Uint8Array()
  bytes[bytes.length - at] = (bytes[bytes.length - at] ?? 0) ^ 1
  return toBase64url(bytes)
}

describe('events', () => {
  test('under keys that the app knows come through', async () => {
    const { url } = await servingNode()
    const [event] = await eventsOf(verifying(url))
    expect(event).toMatchObject({ scope: 'shared', event: { signer: ALICE.signer.did, type: 'announce' } })
    expect(await verifying(url).event(event?.id ?? '')).toEqual(event)
    await eventsOf(verifying(url, { trust: { signers: [ALICE.signer.did] } }))
  })

  test('whatever is changed on the way is found', async () => {
    const { url } = await servingNode()
    const [event] = await eventsOf(createClient({ url }))
    if (event === undefined) throw new Error('there is an event')
    const other = await next(member('mallory'), null, {
      batchId: 'b',
      batchRoot: '0'.repeat(64),
      receiptCount: 1,
      timestampAnchors: []
    })
    const changes: readonly [string, Partial<LoggedEventAnswer>][] = [
      ['EVENT_MISMATCH', { event: { ...event.event, namespace: NAMESPACE, ts: 1 } }],
      ['EVENT_MISMATCH', { id: '0'.repeat(64) }],
      ['SIGNATURE_INVALID', { bytes: flipped(event, 20) }],
      ['MALFORMED', { bytes: toBase64url(new Uint8Array(3)) }],
      ['EVENT_MISMATCH', { bytes: toBase64url(other.wire) }]
    ]
    for (const [reason, change] of changes) {
      const lie = changing(/\/v1\/events/, () => JSON.stringify({ events: [{ ...event, ...change }], next: null }))
      const failure = await failureOf(eventsOf(verifying(url, {}, lie)))
      expect(failure, reason).toMatchObject({ code: 'VERIFICATION_FAILED', isRetryable: false })
      if (reason !== 'SIGNATURE_INVALID') expect(failure).toMatchObject({ reason })
    }
  })

  test('of others than the app takes, or under other keys than it pinned, are refused', async () => {
    const { url } = await servingNode()
    const { did, kid } = ALICE.signer
    const key = toBase64url(member('mallory').signer.publicKey)
    for (const [reason, trust] of [
      ['SIGNER_NOT_TRUSTED', { signers: [member('mallory').signer.did] }],
      ['SIGNATURE_INVALID', { keys: [{ did, kid, publicKey: key }] }]
    ] as const)
      expect(await failureOf(eventsOf(verifying(url, { trust })))).toMatchObject({ reason })
    expect(() =>
      verifying(url, { trust: { keys: [{ did, kid, publicKey: toBase64url(new Uint8Array(32)) }] } })
    ).toThrow(expect.objectContaining({ code: 'TRUST_INVALID' }))
    expect(() => verifying(url, { trust: { bitcoinHeaders: { main: 'no headers' } } })).toThrow(
      expect.objectContaining({ code: 'TRUST_INVALID' })
    )
  })
})

describe('rows', () => {
  test('are held against the signed events that they name', async () => {
    const { url } = await servingNode()
    const client = verifying(url)
    for (const name of ['batches', 'timestamp-anchors', 'winners'] as const) {
      const { rows } = await client.query(name, { namespace: NAMESPACE })
      expect(rows).toHaveLength(1)
      for (const row of rows) expect(await client.verifyRow(name, row)).toBe('signed')
    }
    const [sequence] = (await client.query('sequences', { namespace: NAMESPACE })).rows
    if (sequence === undefined) throw new Error('there is a chain')
    expect(await client.verifyRow('sequences', sequence)).toBe('unsigned')
  })

  test('that say something else than their events are found', async () => {
    const { url } = await servingNode()
    const client = verifying(url)
    const [batch] = (await client.query('batches')).rows
    const [winner] = (await client.query('winners')).rows
    const [anchor] = (await client.query('timestamp-anchors')).rows
    if (batch === undefined || !winner?.winner || anchor === undefined) throw new Error('there are rows')
    const zeros = '0'.repeat(64)
    const first = batch.announcements[0]
    if (first === undefined) throw new Error('there is an announcement')
    const failures = [
      client.verifyRow('batches', { ...batch, batchRoot: zeros }),
      client.verifyRow('batches', { ...batch, owner: 'org-other' }),
      client.verifyRow('batches', { ...batch, receiptCount: 4 }),
      client.verifyRow('batches', { ...batch, announcements: [{ ...first, signer: 'did:key:other' }] }),
      client.verifyRow('winners', { ...winner, batchRoot: zeros }),
      client.verifyRow('winners', { ...winner, winner: { ...winner.winner, evidenceHash: zeros } }),
      client.verifyRow('timestamp-anchors', { ...anchor, evidenceHash: zeros })
    ]
    for (const failure of await Promise.all(failures.map(failureOf)))
      expect(failure).toMatchObject({ code: 'VERIFICATION_FAILED', reason: 'ROW_MISMATCH' })
    const missing = client.verifyRow('winners', { ...winner, winner: { ...winner.winner, eventId: zeros } })
    expect(await failureOf(missing)).toMatchObject({ reason: 'EVENT_MISSING' })
  })

  test('are all checked before they are shown, where that is asked', async () => {
    const { node, url } = await servingNode()
    const zeros = '0'.repeat(64)
    const lie = changing(/\/v1\/projections\/batches/, (text) =>
      text.replace(/"batchRoot":"[0-9a-f]{64}"/, `"batchRoot":"${zeros}"`)
    )
    const lied = { code: 'VERIFICATION_FAILED', reason: 'ROW_MISMATCH' }
    expect((await verifying(url, { rows: true }).query('batches')).rows).toHaveLength(1)
    expect((await verifying(url, {}, lie).query('batches')).rows).toMatchObject([{ batchRoot: zeros }])
    expect(await failureOf(verifying(url, { rows: true }, lie).query('batches'))).toMatchObject(lied)
    expect(await failureOf(verifying(url, { rows: true }, lie).rows('batches').next())).toMatchObject(lied)

    const gateway = await startPublicListener({
      listen: '127.0.0.1:0',
      operations: node,
      subscriptions: node.gateway.subscriptions,
      logger: silentLogger,
      clock: systemClock
    })
    opened.push(gateway)
    const streamLie: Fetch = async (address, init) => {
      const response = await fetch(address, init)
      if (!address.includes('/v1/subscribe') || response.body === null) return response
      const changed = new TransformStream<string, string>({
        transform: (text, controller) =>
          controller.enqueue(text.replace(/"batchRoot":"[0-9a-f]{64}"/, `"batchRoot":"${zeros}"`))
      })
      const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(changed)
      return new Response(body.pipeThrough(new TextEncoderStream()), response)
    }
    const cursorStore = memoryCursorStore()
    const honest = verifying(gateway.url, { rows: true }).subscribe('batches')
    expect((await honest.next()).value).toMatchObject({ frame: 'snapshot', row: { batchId: BATCH } })
    await honest.return(undefined as never)
    const updates = verifying(gateway.url, { rows: true }, streamLie).subscribe('batches', { cursorStore })
    expect(await failureOf(updates.next())).toMatchObject(lied)
    expect(await cursorStore.load()).toBeNull()
  })

  test('can not be checked by a client that knows nothing', async () => {
    const { url } = await servingNode()
    const client = createClient({ url })
    const [row] = (await client.query('batches')).rows
    if (row === undefined) throw new Error('there is a batch')
    for (const asked of [client.verifyRow('batches', row), client.verifyLog()])
      expect(await failureOf(asked)).toMatchObject({ code: 'NOTHING_TO_VERIFY_WITH' })
  })
})

describe('receipts', () => {
  test('are proven by what the app knows alone', async () => {
    const { url, leaves, root } = await servingNode()
    const place = { leafHash: leaves[1] ?? '', namespace: NAMESPACE, batchId: BATCH }
    const organisations = { 'org-a': [ALICE.signer.did] }
    const proven = await verifying(url, { trust: { ...TRUST, organisations } }).receiptProof(place)
    expect(proven.report).toMatchObject({ overall: 'proven', provenTime: 9_000, batchRoot: root })
    // Without a verifier for that authority nothing is wrong, and nothing is proven.
    expect((await verifying(url, { trust: {} }).receiptProof(place)).report).toMatchObject({ overall: 'undecided' })
    expect((await createClient({ url }).receiptProof(place)).report).toBeNull()
    const other = verifying(url, { trust: { ...TRUST, organisations: { 'org-a': [], 'org-b': [ALICE.signer.did] } } })
    expect(await failureOf(other.receiptProof(place))).toMatchObject({ reason: 'OWNER' })
  })

  test('that were changed on the way are found', async () => {
    const { url, leaves } = await servingNode()
    const place = { leafHash: leaves[1] ?? '', namespace: NAMESPACE, batchId: BATCH }
    const changes: readonly [string, (text: string) => string][] = [
      ['RECORD', (text) => text.replace('invoice', 'Invoice')],
      ['INCLUSION', (text) => text.replace(/(\\"path\\":\s*\[\s*(?:\\n)?\s*\\")[0-9a-f]{4}/, '$10000')]
    ]
    for (const [reason, change] of changes) {
      const lie = changing(/\/proof/, change)
      expect(await failureOf(verifying(url, {}, lie).receiptProof(place)), reason).toMatchObject({ reason })
    }
    const elsewhere = changing(/\/proof/, (text) => text.replaceAll(leaves[1] ?? '', leaves[0] ?? ''))
    expect(await failureOf(createClient({ url, fetch: elsewhere }).receiptProof(place))).toMatchObject({
      code: 'ANSWER_MALFORMED'
    })
    const all = { namespace: NAMESPACE, include: ['record', 'proof'] } as const
    const record = changing(/receipts/, (text) => text.replace('invoice', 'Invoice'))
    expect(await failureOf(verifying(url, {}, record).query('receipts', all))).toMatchObject({ reason: 'ROW_MISMATCH' })
    const path = changing(/receipts/, (text) => text.replace(/"path":\["[0-9a-f]{4}/, '"path":["0000'))
    expect(await failureOf(verifying(url, {}, path).query('receipts', all))).toMatchObject({ reason: 'ROW_MISMATCH' })
  })
})

describe('the log', () => {
  test('is followed from look to look, over restarts of the app', async () => {
    const { node, url } = await servingNode()
    const checkpointStore = memoryCursorStore()
    const first = await verifying(url, { checkpointStore }).verifyLog()
    expect(first).toMatchObject({ outcome: 'first', origin: `${ALICE.signer.did}#${ALICE.signer.kid}` })
    expect(await verifying(url, { checkpointStore }).verifyLog()).toMatchObject({ outcome: 'same', size: first.size })
    await node.seal({ namespace: NAMESPACE, batchId: 'b-2', receipts: [1, 2] })
    const grown = await verifying(url, { checkpointStore }).verifyLog()
    expect(grown.outcome).toBe('grown')
    expect(grown.size).toBeGreaterThan(first.size)
    expect(await checkpointStore.load()).toBe(grown.note)
    const elsewhere = verifying(url, { trust: { logOf: member('mallory').signer.did } })
    expect(await failureOf(elsewhere.verifyLog())).toMatchObject({ reason: 'SIGNER_NOT_TRUSTED' })
    expect(await verifying(url, { trust: { logOf: ALICE.signer.did } }).verifyLog()).toMatchObject({ outcome: 'first' })
  })

  test('of another history is refused, and what was kept stays', async () => {
    const [one, other] = [await servingNode(), await servingNode()]
    await one.node.seal({ namespace: NAMESPACE, batchId: 'b-2', receipts: [1, 2] })
    const checkpointStore = memoryCursorStore()
    const { note } = await verifying(one.url, { checkpointStore }).verifyLog()
    const said = async (url: string) => await (await fetch(`${url}/v1/log/checkpoint`)).text()
    // The same key and epoch, fewer records.
    const shorter = await failureOf(verifying(other.url, { checkpointStore }).verifyLog())
    expect(['LOG_ROLLED_BACK', 'EPOCH_CHANGED']).toContain(shorter.reason)
    const forged = changing(/checkpoint/, (text) => text.replace(/\n\d+\n/, '\n7777\n'))
    expect(await failureOf(verifying(one.url, { checkpointStore }, forged).verifyLog())).toMatchObject({
      reason: 'SIGNATURE_INVALID'
    })
    const foreign = changing(/checkpoint/, () => 'no note')
    expect(await failureOf(verifying(one.url, { checkpointStore }, foreign).verifyLog())).toMatchObject({
      reason: 'CHECKPOINT_MALFORMED'
    })
    expect(await checkpointStore.load()).toBe(note)
    expect(await said(one.url)).toBe(note)
  })

  test('whose consistency is not proven was rewritten', async () => {
    const { node, url } = await servingNode()
    const checkpointStore = memoryCursorStore()
    await verifying(url, { checkpointStore }).verifyLog()
    await node.seal({ namespace: NAMESPACE, batchId: 'b-2', receipts: [1] })
    const lie = changing(/consistency/, (text) => text.replace(/"proof":\["[0-9a-f]{4}/, '"proof":["0000'))
    expect(await failureOf(verifying(url, { checkpointStore }, lie).verifyLog())).toMatchObject({
      reason: 'LOG_REWRITTEN'
    })
    const empty = changing(/consistency/, (text) => text.replace(/"proof":\[[^\]]*\]/, '"proof":[]'))
    expect(await failureOf(verifying(url, { checkpointStore }, empty).verifyLog())).toMatchObject({
      reason: 'LOG_REWRITTEN'
    })
    expect(await verifying(url, { checkpointStore }).verifyLog()).toMatchObject({ outcome: 'grown' })
  })

  test('holds an event at the place that the node shows, and at no other', async () => {
    const { url } = await servingNode()
    const client = verifying(url)
    const [event] = await eventsOf(client)
    if (event === undefined) throw new Error('there is an event')
    expect(await client.verifyInLog(event)).toMatchObject({ origin: `${ALICE.signer.did}#${ALICE.signer.kid}` })
    for (const logSeq of [1, event.logSeq + 1, 10_000])
      expect(await failureOf(client.verifyInLog({ ...event, logSeq }))).toMatchObject({ reason: 'NOT_IN_LOG' })
    const lie = changing(/inclusion/, (text) => text.replace(/"recordedAt":\d+/, '"recordedAt":1'))
    expect(await failureOf(verifying(url, {}, lie).verifyInLog(event))).toMatchObject({ reason: 'NOT_IN_LOG' })
  })
})
