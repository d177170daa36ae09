import { expect, test } from 'vitest'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Frame, NamedChain, TaggedPosition } from '../../protocols/range-sync/v1/frames.ts'
import { SessionInitiator } from '../../src/sync/initiator.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import { SessionResponder } from '../../src/sync/responder.ts'
import type { Step } from '../../src/sync/step.ts'
import { exchange } from './exchange.ts'
import { prefixOf } from './hostile-world.ts'
import { forest, ModelNode } from './model-node.ts'

const SALT = new Uint8Array(16).fill(7)
const OPTIONS = { limits: SESSION_LIMITS, unwanted: new Set<string>() }
const CHAIN = sha256Hex('chain')
const tag = (name: string): Uint8Array => sha256(name).subarray(0, 12)
const idOf = (name: string): string => sha256Hex(`event ${name}`)

function begun(node: ModelNode): SessionResponder {
  const responder = new SessionResponder(node.view(), SALT, OPTIONS)
  const root = new Uint8Array(32).fill(1)
  const step = responder.begin({ type: 'hello', namespace: 'test:model', membership: SALT, root, chains: 1 })
  expect(step.ok).toBe(true)
  return responder
}

function naming(mine: readonly NamedChain[], bits: readonly boolean[], more = false): Frame {
  return { type: 'chains', more, matched: { of: 'sketch', bits }, mine }
}

/** A chain of `length` events, `depth` of which are followed by one more that goes nowhere. */
function comb(depth: number, chain = CHAIN, name = ''): ModelNode {
  const node = new ModelNode()
  let prev: string | null = null
  for (let position = 1; position <= depth; position += 1) {
    const [tooth, spine] = [idOf(`${name} tooth ${position}`), idOf(`${name} spine ${position}`)]
    // The tooth first, so that the spine is the branch: the deepest path there is.
    node.take({ id: tooth, chain, prev, authorSeq: position })
    node.take({ id: spine, chain, prev, authorSeq: position })
    prev = spine
  }
  return node
}

/** A node with a chain of `forks` branches from its root, each of `length` events. */
function brush(forks: number, length: number, chain = CHAIN, node = new ModelNode()): ModelNode {
  for (let fork = 0; fork < forks; fork += 1) {
    for (let position = 1; position <= length; position += 1) {
      const prev = position === 1 ? null : idOf(`${chain} ${fork} ${position - 1}`)
      node.take({ id: idOf(`${chain} ${fork} ${position}`), chain, prev, authorSeq: position })
    }
  }
  return node
}

test('65,536 chains that nobody has cost no look-up', async () => {
  const node = brush(1, 20)
  const responder = begun(node)
  const prefixes = Array.from({ length: 65_536 }, (_, index) => sha256(`chain ${index}`).subarray(0, 16))
  prefixes.sort((left, right) => Buffer.compare(left, right))
  let last: Step | null = null
  for (let at = 0; at < 64; at += 1) {
    const mine = prefixes.slice(at * 1_024, at * 1_024 + 1_024).map((prefix) => ({
      prefix,
      tips: [1, 2, 3].map((position) => ({ position, tag: tag(`${position}`) }))
    }))
    last = await responder.take(naming(mine, at === 0 ? [false] : [], at < 63))
  }
  expect(last).toMatchObject({ ok: true, next: 'transfer' })
  if (last?.ok === true) expect(last.send.length).toBe(64)
  expect(node.lookups).toBe(0)
})

test('who asks 2,048 samples in each of 32 probes gets a bounded number of look-ups', async () => {
  const node = brush(300, 600)
  const responder = begun(node)
  const unknown: TaggedPosition = { position: 1_000, tag: tag('unknown') }
  await responder.take(naming([{ prefix: prefixOf(CHAIN), tips: [unknown] }], [false]))
  for (let probes = 0; probes < 32; probes += 1) {
    const asked = Array.from({ length: 2_048 }, (_, index) => ({
      position: ((index * 7 + probes) % 599) + 1,
      tag: tag(`${probes} ${index}`)
    }))
    const held = probes === 0 ? Array.from({ length: 300 }, () => false) : []
    const step = await responder.take({ type: 'probe', more: false, chains: [{ index: 0, held, asked }] })
    expect(step.ok).toBe(true)
  }
  expect(node.lookups).toBeLessThanOrEqual(SESSION_LIMITS.lookups)
})

test('the same place asked 2,048 times of a chain of 3,000 forks is looked up once', async () => {
  const node = brush(3_000, 2)
  const responder = begun(node)
  await responder.take(naming([{ prefix: prefixOf(CHAIN), tips: [{ position: 9, tag: tag('unknown') }] }], [false]))
  const asked = Array.from({ length: 2_048 }, () => ({ position: 1, tag: tag('unknown') }))
  await responder.take({ type: 'probe', more: false, chains: [{ index: 0, held: [], asked }] })
  expect(node.lookups).toBeLessThanOrEqual(3_000)
})

test('a chain of 10,000 forks, each within the one before, is traced in bounded time', async () => {
  const deep = await exchange(comb(5_000), comb(10_000))
  expect(deep.moved).toBeGreaterThan(0)
  const [all, part] = [comb(4_000), comb(2_000)]
  for (let sessions = 0, left = 1; left > 0; sessions += 1) {
    expect(sessions).toBeLessThan(20)
    left = (await exchange(part, all, { salt: sessions })).left
  }
  expect(part.ids).toEqual(all.ids)
})

test('more forks than can be looked at keep no other chain from being synced', async () => {
  const [left, right] = [new ModelNode(), new ModelNode()]
  // Their names put them before all others.
  for (let key = 0; key < 30; key += 1) {
    const forked = `00${key.toString(16).padStart(2, '0')}`.padEnd(64, '0')
    brush(2_900, 1, forked, left)
    brush(3_000, 1, forked, right)
  }
  const lacking: string[] = []
  for (let index = 0; index < 50; index += 1) {
    const chain = sha256Hex(`plain chain ${index}`)
    brush(1, 2, chain, left)
    brush(1, 3, chain, right)
    lacking.push(idOf(`${chain} 0 3`))
  }
  const { left: rest } = await exchange(left, right)
  expect(rest).toBeGreaterThan(0)
  expect(lacking.filter((id) => !left.has(id))).toEqual([])
})

test('forks on one side alone never make it say more than the other may take', async () => {
  const chains = Array.from({ length: 70 }, (_, index) => sha256Hex(`forked chain ${index}`))
  const [few, many] = [new ModelNode(), new ModelNode()]
  for (const chain of chains) {
    for (let fork = 0; fork < 200; fork += 1) {
      const event = { id: sha256Hex(`${chain} ${fork}`), chain, prev: null, authorSeq: 1 }
      many.take(event)
      if (fork === 0) few.take(event)
    }
    few.take({ id: sha256Hex(`${chain} own`), chain, prev: null, authorSeq: 1 })
  }
  // 190 tips take a frame of this size, as 3,072 do one of the greatest.
  const first = await exchange(few, many, { responder: { frameBytes: 4_200 } })
  expect(first.frames.filter((type) => type === 'answer').length).toBeLessThanOrEqual(64)
  expect(first.moved).toBeGreaterThan(0)
  expect(first.left).toBeGreaterThan(0)
})

test('two chains that look alike under the salt of a session are not taken for what they are not', () => {
  const node = brush(1, 3)
  const initiator = new SessionInitiator(node.view(), OPTIONS)
  initiator.hello()
  const entry = new Uint8Array(5)
  return expect(
    initiator.take({ type: 'sketch', membership: SALT, salt: SALT, entries: [entry, entry] })
  ).resolves.toMatchObject({ ok: true, send: [{ matched: { bits: [false, false] } }] })
})

test('a thousand forests of forks are traced the same as before', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const all = forest({ seed, chains: 2, events: 400, forks: 0.4, roots: 0.02 })
    const [left, right] = [new ModelNode(), new ModelNode()]
    for (const event of all.slice(0, 300)) left.take(event)
    for (const [index, event] of all.entries()) if (index % 5 > 0) right.take(event)
    const union = [...new Set([...left.ids, ...right.ids])].sort()
    await exchange(left, right)
    expect(left.ids).toEqual(union)
    expect(right.ids).toEqual(union)
  }
})
