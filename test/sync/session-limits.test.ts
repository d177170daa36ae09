import { describe, expect, test } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { CHAINS_FRAMES_MAX } from '../../protocols/range-sync/v1/frames.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import { SessionInitiator } from '../../src/sync/initiator.ts'
import { SessionResponder } from '../../src/sync/responder.ts'
import { exchange } from './exchange.ts'
import { ModelNode } from './model-node.ts'
import type { ModelEvent } from './model-node.ts'

const event = (chain: string, name: string, prev: ModelEvent | null = null): ModelEvent => ({
  id: sha256Hex(`${chain} ${name}`),
  chain: sha256Hex(chain),
  prev: prev?.id ?? null,
  authorSeq: (prev?.authorSeq ?? 0) + 1
})

/** Two nodes that hold `chains` chains each, every one of which has a branch on either side. */
function forked(chains: number): readonly [ModelNode, ModelNode] {
  const nodes = [new ModelNode(), new ModelNode()] as const
  for (let index = 0; index < chains; index += 1) {
    const first = event(`chain ${index}`, 'first')
    for (const [side, node] of nodes.entries()) {
      node.take(first)
      node.take(event(`chain ${index}`, `of ${side}`, first))
    }
  }
  return nodes
}

describe('what one session has no room for is left for the next', () => {
  test.each([
    ['chains', { chainsInFrame: 1 }, {}],
    ['answers', {}, { chainsInFrame: 1 }],
    ['answers, and samples', {}, { chainsInFrame: 1, samples: 4 }],
    ['answers, and samples of the initiator', { samples: 4 }, { chainsInFrame: 2, chainsFrames: 10 }]
  ])('%s', async (_, initiator, responder) => {
    const [left, right] = forked(CHAINS_FRAMES_MAX + 36)
    const first = await exchange(left, right, { initiator, responder })
    expect(first.left).toBeGreaterThan(0)
    for (const type of ['chains', 'answer']) {
      expect(first.frames.filter((name) => name === type).length).toBeLessThanOrEqual(CHAINS_FRAMES_MAX)
    }
    for (let salt = 8; (await exchange(left, right, { initiator, responder, salt })).left > 0; salt += 1) {
      expect(salt).toBeLessThan(80)
    }
    expect(left.ids).toEqual(right.ids)
    expect(left.ids.length).toBe((CHAINS_FRAMES_MAX + 36) * 3)
  })
})

test('the first probe tells of each of the tips that an entry is about', async () => {
  const [left, right] = forked(1)
  const initiator = new SessionInitiator(left.view(), { limits: SESSION_LIMITS, unwanted: new Set() })
  const responder = new SessionResponder(right.view(), new Uint8Array(16), {
    limits: SESSION_LIMITS,
    unwanted: new Set()
  })
  let frames: readonly Frame[] = [initiator.hello()]
  for (const side of ['responder', 'initiator', 'responder', 'initiator']) {
    const [frame] = frames
    if (frame === undefined) throw new Error('nothing was said')
    const step =
      side === 'initiator'
        ? await initiator.take(frame)
        : frame.type === 'hello'
          ? responder.begin(frame)
          : await responder.take(frame)
    if (!step.ok) throw new Error(step.detail)
    frames = step.send
  }
  const [probe] = frames
  if (probe?.type !== 'probe') throw new Error('no probe')
  const silent: Frame = { ...probe, chains: probe.chains.map((chain) => ({ ...chain, held: [] })) }
  expect(probe.chains.length).toBe(1)
  expect(await responder.take(silent)).toMatchObject({ ok: false, code: 'bad-frame' })
})
