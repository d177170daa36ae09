import { encodeFrame } from '../../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../../protocols/range-sync/v1/frames.ts'
import { SessionInitiator } from '../../../src/sync/initiator.ts'
import type { SessionLimits } from '../../../src/sync/limits.ts'
import { SESSION_LIMITS } from '../../../src/sync/limits.ts'
import { SessionResponder } from '../../../src/sync/responder.ts'
import type { Step } from '../../../src/sync/step.ts'
import type { TransferPlan } from '../../../src/sync/transfer-plan.ts'
import { ModelNode } from '../../sync/model-node.ts'
import type { ModelEvent } from '../../sync/model-node.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

/** A session as its vector tells it. */
export interface SessionVector {
  readonly description: string
  readonly salt: string
  /** What a side keeps to where that is less than the SPEC allows. */
  readonly setting: { readonly initiator: Partial<SessionLimits>; readonly responder: Partial<SessionLimits> }
  /** Who holds it, chain id, id, predecessor or `-`, position. */
  readonly events: readonly string[]
  readonly unwanted: readonly string[]
  readonly frames: readonly string[]
  readonly initiatorSends: readonly string[]
  readonly responderSends: readonly string[]
}

type Holder = 'both' | 'initiator' | 'responder'
type Held = ModelEvent & { readonly by: Holder }

/** Both machines of a session, over what its vector says that each side holds. */
export function sidesOf({ salt, setting, events, unwanted }: Omit<SessionVector, 'frames'>): {
  readonly initiator: SessionInitiator
  readonly responder: SessionResponder
} {
  const [left, right] = [new ModelNode(), new ModelNode()]
  for (const row of events) {
    const [by, chain = '', id = '', prev = '', position] = row.split(' ')
    const event = { chain, id, prev: prev === '-' ? null : prev, authorSeq: Number(position) }
    if (by !== 'responder' && !left.take(event)) throw new Error(`not in order: ${row}`)
    if (by !== 'initiator' && !right.take(event)) throw new Error(`not in order: ${row}`)
  }
  return {
    initiator: new SessionInitiator(left.view(), {
      limits: { ...SESSION_LIMITS, ...setting.initiator },
      unwanted: new Set(unwanted)
    }),
    responder: new SessionResponder(right.view(), Buffer.from(salt, 'hex'), {
      limits: { ...SESSION_LIMITS, ...setting.responder },
      unwanted: new Set()
    })
  }
}

/** The ids of the events that a side sends, ascending. */
export async function sentBy(plan: TransferPlan): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const batch of plan.events()) {
    for (const wire of batch) ids.push((JSON.parse(Buffer.from(wire).toString()) as ModelEvent).id)
  }
  return ids.toSorted()
}

const idOf = (label: string): string => hex(sha256(`anchormesh vectors: ${label}`))

/** A piece of a chain of so many events, behind the last event of another piece or at the beginning. */
function piece(name: string, chain: string, count: number, by: Holder, after?: readonly Held[]): readonly Held[] {
  const events: Held[] = []
  for (let index = 0; index < count; index += 1) {
    const before = events.at(-1) ?? after?.at(-1)
    const [prev, authorSeq] = [before?.id ?? null, (before?.authorSeq ?? 0) + 1]
    events.push({ id: idOf(`${chain} ${name} ${index}`), chain: idOf(`chain ${chain}`), prev, authorSeq, by })
  }
  return events
}

/** Chains of one event each. */
function chains(from: number, to: number, by: Holder): readonly Held[] {
  return Array.from({ length: to - from }, (_, index) => piece('p', `c${from + index}`, 1, by)).flat()
}

/** A chain on which both sides went on after a common beginning. */
function fork(chain: string, common: number, initiator: number, responder: number): readonly Held[] {
  const trunk = piece('trunk', chain, common, 'both')
  return [
    ...trunk,
    ...piece('left', chain, initiator, 'initiator', trunk),
    ...piece('right', chain, responder, 'responder', trunk)
  ]
}

/** A chain of which one side lacks the end. */
function lag(chain: string, common: number, more: number, by: Holder): readonly Held[] {
  const trunk = piece('trunk', chain, common, 'both')
  return [...trunk, ...piece('more', chain, more, by, trunk)]
}

export async function sessions(): Promise<Vector[]> {
  const trunk = piece('trunk', 'forks', 10, 'both')
  const branch = piece('branch', 'forks', 30, 'both', trunk)
  const treeSetting = { responder: { sketchChains: 0 } }
  const differing = [...chains(0, 40, 'both'), ...chains(40, 42, 'initiator'), ...chains(42, 45, 'responder')]
  return [
    await session('the same', [...chains(0, 2, 'both'), ...lag('a', 3, 0, 'both')]),
    await session('nothing on either side', []),
    await session('nothing on the side of the initiator', [
      ...piece('p', 'a', 3, 'responder'),
      ...piece('p', 'b', 1, 'responder')
    ]),
    await session('nothing on the side of the responder', [
      ...piece('p', 'a', 3, 'initiator'),
      ...piece('p', 'b', 1, 'initiator')
    ]),
    await session('the initiator lags', [...lag('a', 3, 2, 'responder'), ...chains(0, 2, 'both')]),
    await session('the responder lags', [...lag('a', 3, 2, 'initiator'), ...chains(0, 2, 'both')]),
    await session('both lag, each in chains of its own, and each has a chain that the other lacks', [
      ...lag('a', 3, 200, 'initiator'),
      ...lag('b', 3, 20, 'responder'),
      ...lag('c', 150, 1, 'responder'),
      ...chains(0, 9, 'both'),
      ...chains(9, 10, 'initiator'),
      ...chains(10, 11, 'responder')
    ]),
    await session('a fork, with a branch on each side that is traced in one round', fork('a', 5, 3, 4)),
    await session('a fork, with a branch on each side that is traced in two', [
      ...fork('a', 20, 45, 30),
      ...chains(0, 3, 'both')
    ]),
    await session('two beginnings of one chain', fork('a', 0, 2, 3)),
    await session('a fork that only the initiator holds', [
      ...trunk,
      ...branch,
      ...piece('left', 'forks', 20, 'initiator', trunk)
    ]),
    await session('four branches: one that both hold, one of each side, one that goes on here', [
      ...trunk,
      ...branch,
      ...piece('left', 'forks', 20, 'initiator', trunk),
      ...piece('right', 'forks', 25, 'responder', branch.slice(0, 17)),
      ...piece('on', 'forks', 2, 'initiator', branch),
      ...piece('anew', 'forks', 2, 'responder')
    ]),
    await session(
      'a tree that lists all, as it is of few chains',
      [...chains(0, 3, 'both'), ...lag('a', 2, 1, 'initiator'), ...lag('b', 2, 1, 'responder')],
      treeSetting
    ),
    await session('a tree, and one round of negentropy', differing, treeSetting),
    await session('a tree to an initiator with a fork', [...differing, ...fork('a', 17, 2, 2)], treeSetting),
    await session('no tree to an initiator without chains', chains(0, 3, 'responder'), treeSetting),
    await session(
      'two chains that are not wanted: one that nobody holds, one of the responder',
      [...lag('a', 2, 1, 'initiator'), ...piece('p', 'b', 3, 'responder'), ...chains(0, 2, 'responder')],
      { unwanted: ['b', 'z'].map((chain) => idOf(`chain ${chain}`)) }
    ),
    await session(
      'several frames of chains, and of answers',
      [...chains(0, 3, 'both'), ...chains(3, 8, 'initiator'), ...lag('a', 2, 1, 'initiator'), ...fork('b', 4, 2, 2)],
      { initiator: { chainsInFrame: 3 }, responder: { chainsInFrame: 4 } }
    ),
    await session(
      'after a tree, several frames of chains, and probes of several frames',
      [...chains(3, 8, 'responder'), ...fork('a', 4, 2, 2), ...fork('b', 30, 2, 40), ...fork('c', 1, 1, 1)],
      { initiator: { chainsInFrame: 2 }, responder: { chainsInFrame: 2, sketchChains: 0 } }
    )
  ]
}

async function session(
  description: string,
  held: readonly Held[],
  options: Partial<SessionVector['setting']> & { readonly unwanted?: readonly string[] } = {}
): Promise<Vector> {
  const { initiator = {}, responder = {}, unwanted = [] } = options
  const told = {
    description,
    salt: idOf(`salt of ${description}`).slice(0, 32),
    setting: { initiator, responder },
    events: held.map(({ by, chain, id, prev, authorSeq }) => `${by} ${chain} ${id} ${prev ?? '-'} ${authorSeq}`),
    unwanted: unwanted.toSorted()
  }
  // What only one side holds, as nothing is left in any of these sessions, but for what is not wanted.
  const only = (by: Holder): readonly string[] =>
    held
      .filter((event) => event.by === by && !(by === 'responder' && unwanted.includes(event.chain)))
      .map(({ id }) => id)
      .toSorted()
  const sends = { initiatorSends: only('initiator'), responderSends: only('responder') }
  const sides = sidesOf({ ...told, ...sends })
  const frames = await talkOf(sides)
  const planned = [await sentBy(sides.initiator.plan), await sentBy(sides.responder.plan)]
  if (JSON.stringify(planned) !== JSON.stringify(Object.values(sends))) throw new Error(`other events: ${description}`)
  if (sides.initiator.plan.left + sides.responder.plan.left > 0) throw new Error(`some are left: ${description}`)
  return { ...told, frames, ...sends }
}

/** All frames until both sides know what to send. */
async function talkOf({ initiator, responder }: ReturnType<typeof sidesOf>): Promise<readonly string[]> {
  const frames: string[] = []
  const sent = (step: Step, mark: string): readonly Frame[] => {
    if (!step.ok) throw new Error(`${step.code}: ${step.detail}`)
    for (const frame of step.send) frames.push(`${mark} ${hex(encodeFrame(frame))}`)
    return step.send
  }
  const hello = initiator.hello()
  if (hello.type !== 'hello') throw new Error('no hello')
  frames.push(`> ${hex(encodeFrame(hello))}`)
  let back = sent(responder.begin(hello), '<')
  while (back.length > 0) {
    const there: Frame[] = []
    for (const frame of back) there.push(...sent(await initiator.take(frame), '>'))
    const next: Frame[] = []
    for (const frame of there) next.push(...sent(await responder.take(frame), '<'))
    back = next
  }
  return frames
}
