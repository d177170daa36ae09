import { expect, onTestFinished, test } from 'vitest'
import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { isSignedBy, parseCheckpoint } from '../../protocols/checkpoint/v1/note.ts'
import { recordLeaf, verifyConsistency } from '../../protocols/checkpoint/v1/tree.ts'
import { bytesOfHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { sealRecord } from '../../src/log/record.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { LogCheckpoint, LogConsistency, LogInclusion } from '../../src/transparency/log-proof-operations.ts'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode } from '../node/nodes.ts'
import { NAMESPACE, member } from '../support/identities.ts'

const [ALICE, BERTA] = [member('alice'), member('berta')]

/** A node whose tree is built, after some work: the policy, and a seal and an announce for each batch. */
async function worked(batches: number): Promise<MemoryNode> {
  const opened = await openNode(ALICE, [ALICE, BERTA])
  onTestFinished(() => opened.node.close())
  await work(opened, batches)
  return opened
}

let batch = 0
async function work({ node }: MemoryNode, batches: number): Promise<void> {
  for (let index = 0; index < batches; index += 1) {
    batch += 1
    await node.seal({ namespace: NAMESPACE, batchId: `b-${batch}`, receipts: [batch] })
    await node.announce({ namespace: NAMESPACE, batchId: `b-${batch}`, timestampAnchors: [] })
  }
}

test('a checkpoint is of what is durable, signed by the node’s event key, and one for each length', async () => {
  const at = await worked(3)
  const checkpoint = await at.node.logCheckpoint()
  expect(checkpoint).toMatchObject({ size: 7, epoch: (await at.node.status()).log.epoch })
  expect(await at.node.logCheckpoint()).toBe(checkpoint)
  const reading = parseCheckpoint(utf8(checkpoint.note))
  const key = checkPublicKey(ALICE.signer.publicKey)
  if (!reading.ok || !key.ok) throw new Error('it is one')
  expect(isSignedBy(reading.note, key.key)).toBe(true)
  expect({ ...reading.note, root: toHex(reading.note.root) }).toMatchObject({ size: 7, root: checkpoint.root })
  expect(await at.node.checkCheckpoint({ note: checkpoint.note })).toMatchObject({ outcome: 'consistent', code: null })
  await work(at, 1)
  expect(await at.node.logCheckpoint()).toMatchObject({ size: 9 })
  // The one that was kept still holds.
  expect(await at.node.checkCheckpoint({ note: checkpoint.note })).toMatchObject({ outcome: 'consistent' })
})

test('every record is proven to stand in the log, from an event’s own bytes; a local one without its content', async () => {
  const { node } = await worked(3)
  for (let logSeq = 1; logSeq <= 7; logSeq += 1) {
    const proven = await node.logInclusion({ logSeq })
    const { record, size, root, proof, recordHash, leafHash } = proven
    const [event] = await Array.fromAsync(node.events({ scope: 'all', after: logSeq - 1, limit: 1 }))
    if (record === null) expect(event?.id).toBeNull()
    else {
      const { previousHash, recordedAt, bytes } = record
      const content = { logSeq, scope: 'shared' as const, recordedAt, payload: Buffer.from(bytes, 'base64url') }
      expect(toHex(sealRecord(bytesOfHex(previousHash), content).record.hash)).toBe(recordHash)
      expect(event?.bytes).toBe(bytes)
    }
    const leaf = recordLeaf(bytesOfHex(recordHash))
    expect(toHex(leaf)).toBe(leafHash)
    const claim = {
      leafHash: leaf,
      index: logSeq - 1,
      treeSize: size,
      path: proof.map(bytesOfHex),
      root: bytesOfHex(root)
    }
    expect(verifyInclusion(claim)).toBe(true)
  }
})

test('a checkpoint that this log contradicts, that nobody signed, or that is none', async () => {
  const at = await worked(2)
  const { note } = await at.node.logCheckpoint()
  const twin = await openNode(ALICE, [ALICE, BERTA], { ports: { clock: at.ports.clock } })
  onTestFinished(() => twin.node.close())
  // The same key's other log, of the same epoch since its randomness is the same.
  expect(await twin.node.checkCheckpoint({ note })).toMatchObject({ outcome: 'contradiction', code: 'LOG_ROLLED_BACK' })
  await work(twin, 3)
  expect(await twin.node.checkCheckpoint({ note })).toMatchObject({ outcome: 'contradiction', code: 'LOG_REWRITTEN' })
  expect(await at.node.checkCheckpoint({ note: note.replace('\n5\n', '\n6\n') })).toMatchObject({
    outcome: 'unsigned',
    code: 'SIGNATURE_INVALID'
  })
  for (const wrong of ['', 'x', note.slice(1)])
    await expect(at.node.checkCheckpoint({ note: wrong })).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' })
  const other = await openNode(BERTA, [ALICE, BERTA])
  onTestFinished(() => other.node.close())
  expect(await other.node.checkCheckpoint({ note })).toMatchObject({ outcome: 'undecided', keptSize: null })
  const stranger = await openNode(BERTA, [BERTA])
  onTestFinished(() => stranger.node.close())
  const unknown = note.replaceAll(ALICE.signer.did, 'did:web:example.org')
  expect(await stranger.node.checkCheckpoint({ note: unknown })).toMatchObject({ code: 'KEY_UNKNOWN' })
})

test('over HTTP, with a code for whatever is not there', async () => {
  const at = await worked(3)
  const http = await startPublicListener({
    operations: at.node,
    listen: '127.0.0.1:0',
    logger: silentLogger,
    clock: systemClock
  })
  onTestFinished(() => http.close())
  const get = async (path: string): Promise<Response> => await fetch(`${http.url}/v1/log/${path}`)
  const json = async <Answer>(path: string): Promise<Answer> => (await (await get(path)).json()) as Answer
  // The first question starts the tree, where nothing else did.
  const note = await get('checkpoint')
  expect(note.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  const { size, root } = await at.node.logCheckpoint()
  const text = await note.text()
  const reading = parseCheckpoint(utf8(text))
  if (!reading.ok) throw new Error(reading.detail)
  expect(toHex(reading.note.root)).toBe(root)
  const consistency = await json<LogConsistency>(`consistency?from=3&to=${size}`)
  expect(
    verifyConsistency({
      from: 3,
      fromRoot: bytesOfHex(consistency.fromRoot),
      to: size,
      toRoot: bytesOfHex(root),
      proof: consistency.proof.map(bytesOfHex)
    })
  ).toBe(true)
  expect(await json<LogInclusion>('inclusion?logSeq=3&size=5')).toMatchObject({ logSeq: 3, size: 5 })
  for (const [path, status, code] of [
    ['consistency?from=5&to=3', 400, 'QUERY_INVALID'],
    ['consistency?from=0&to=3', 400, 'QUERY_INVALID'],
    ['consistency?from=1', 400, 'QUERY_INVALID'],
    ['consistency?from=1&to=2&x=1', 400, 'QUERY_INVALID'],
    ['consistency?from=1&to=9007199254740993', 400, 'QUERY_INVALID'],
    ['consistency?from=1&to=8', 404, 'NOT_FOUND'],
    ['inclusion?logSeq=1&size=8', 404, 'NOT_FOUND'],
    ['inclusion?logSeq=6&size=5', 400, 'QUERY_INVALID'],
    ['inclusion?logSeq=-1', 400, 'QUERY_INVALID'],
    ['inclusion', 400, 'QUERY_INVALID'],
    ['checkpoint?size=3', 400, 'QUERY_INVALID']
  ] as const) {
    const answer = await get(path)
    expect([path, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([path, status, code])
  }
  expect<LogCheckpoint['note']>(text).toContain(`\n${size}\n`)
})
