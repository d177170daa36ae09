import { expect } from 'vitest'
import { fromHex } from '../../protocols/primitives/bytes.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { createMemoryHub } from '../../simulations/ports/memory-network.ts'
import type { MemoryHub } from '../../simulations/ports/memory-network.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { tagOf } from '../../src/sync/sync-view.ts'
import type { MemoryNode, NodeOptions } from '../node/nodes.ts'
import { openNode, quiet } from '../node/nodes.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { meshPolicy } from './mesh.ts'
import type { RawPeer, RawSession } from './raw-peer.ts'
import { joinRaw, MEMBERSHIP } from './raw-peer.ts'

export const ANNA = member('anna')
export const BEN = member('ben')
export const MALLORY = member('mallory')
export const ALL = [ANNA, BEN, MALLORY]

/** A node of Anna that holds some events of Ben, and Mallory's peer, written by hand. */
export interface HostileWorld {
  readonly hub: MemoryHub
  readonly clock: VirtualClock
  readonly anna: MemoryNode
  readonly mallory: RawPeer
  /** What Anna holds: one chain. */
  readonly held: readonly SignedEvent[]
  readonly tip: SignedEvent
  openBen(): Promise<MemoryNode>
  pass(ms: number): Promise<void>
  /** How often Mallory was penalised. */
  penalties(): Promise<number>
  /** Number of shared events in Anna's log. */
  events(): Promise<number>
}

/** Further events of a chain. */
export async function chainOf(
  author: TestMember,
  length: number,
  before: SignedEvent | null = null,
  options: { readonly name?: string; readonly namespace?: string } = {}
): Promise<SignedEvent[]> {
  const made: SignedEvent[] = []
  for (let index = 0, last = before; index < length; index += 1) {
    const name = `${options.name ?? 'batch'}-${(last?.envelope.authorSeq ?? 0) + 1}`
    last = await next(
      author,
      last,
      announceBody(name),
      options.namespace === undefined ? {} : { namespace: options.namespace }
    )
    made.push(last)
  }
  return made
}

/** Opens the world; Anna holds `length` events of Ben. */
export async function hostileWorld(
  length = 20,
  options: NodeOptions = {},
  members: readonly TestMember[] = ALL
): Promise<HostileWorld> {
  const hub = createMemoryHub()
  const clock = createVirtualClock({ settle: settled })
  const mallory = await joinRaw(hub, MALLORY)
  const open = (self: TestMember): Promise<MemoryNode> =>
    openNode(self, members, { hub, policy: meshPolicy(self, members), ...options, ports: { clock, ...options.ports } })
  const anna = await open(ANNA)
  const nodes = [anna]
  const held = await chainOf(BEN, length)
  for (const { wire } of held) expect((await anna.node.submit(wire)).outcome).toBe('accepted')
  const tip = held.at(-1)
  if (tip === undefined) throw new Error('no events')
  return {
    hub,
    clock,
    anna,
    mallory,
    held,
    tip,
    async openBen() {
      const ben = await open(BEN)
      nodes.push(ben)
      return ben
    },
    async pass(ms) {
      const step = Math.max(1, Math.floor(ms / 20))
      for (let passed = 0; passed < ms; passed += step) {
        await clock.advance(step)
        await quiet(...nodes)
      }
    },
    async penalties() {
      const { network } = await anna.node.status()
      const { score = 0 } = network?.peers.find(({ peerId }) => peerId === mallory.peerId) ?? {}
      return Math.sqrt(Math.abs(score) / 10)
    },
    async events() {
      const { namespaces } = await anna.node.status()
      return namespaces.reduce((sum, namespace) => sum + namespace.events, 0)
    }
  }
}

/** `hello` of a peer whose root is its own. */
export function hello(fields: Partial<Extract<Frame, { readonly type: 'hello' }>> = {}): Frame {
  const root = new Uint8Array(32).fill(7)
  return { type: 'hello', namespace: NAMESPACE, membership: MEMBERSHIP, root, chains: 1, ...fields }
}

/** `chains` after a sketch of one chain. */
export function chains(fields: Partial<Extract<Frame, { readonly type: 'chains' }>> = {}): Frame {
  return { type: 'chains', more: false, matched: { of: 'sketch', bits: [true] }, mine: [], ...fields }
}

export function events(...sent: readonly (SignedEvent | Uint8Array)[]): Frame {
  return { type: 'events', events: sent.map((event) => (event instanceof Uint8Array ? event : event.wire)) }
}

export function done(sent: number, left = 0): Frame {
  return { type: 'done', sent, notTaken: 0, left }
}

export function prefixOf(chainId: string): Uint8Array {
  return (fromHex(chainId) ?? new Uint8Array()).subarray(0, 16)
}

/** Position and tag of an event under a salt. */
export function tagged(salt: Uint8Array, { id, envelope }: SignedEvent): { position: number; tag: Uint8Array } {
  return { position: envelope.authorSeq, tag: tagOf(salt, id) }
}

export const UNKNOWN_TIP = { position: 40, tag: new Uint8Array(12).fill(9) }

/** The states of a responder, and how an initiator brings it there. */
export const RESPONDER_STATES: Readonly<Record<string, (session: RawSession, chainId: string) => Promise<void>>> = {
  listening: () => Promise.resolve(),
  async offered(session) {
    session.send(hello())
    await session.expect('sketch')
  },
  async 'offered, with more chains to come'(session) {
    session.send(hello())
    await session.expect('sketch')
    session.send(chains({ more: true }))
  },
  async probing(session, chainId) {
    session.send(hello())
    await session.expect('sketch')
    const mine = [{ prefix: prefixOf(chainId), tips: [UNKNOWN_TIP] }]
    session.send(chains({ matched: { of: 'sketch', bits: [false] }, mine }))
    await session.expect('answer')
  },
  async 'probing, with samples asked'(session, chainId) {
    await RESPONDER_STATES['probing']?.(session, chainId)
    session.send({ type: 'probe', more: false, chains: [{ index: 0, held: [false], asked: [UNKNOWN_TIP] }] })
    await session.expect('probe')
  },
  async transfer(session) {
    session.send(hello())
    await session.expect('sketch')
    session.send(chains())
    await session.expect('answer')
    await session.expect('done')
  }
}

/** The states of an initiator, and how a responder brings it there. */
export const INITIATOR_STATES: Readonly<Record<string, (session: RawSession) => Promise<void>>> = {
  asked: () => Promise.resolve(),
  async named(session) {
    session.send(sketch())
    await session.expect('chains')
  },
  async 'named, with more answers to come'(session) {
    await INITIATOR_STATES['named']?.(session)
    session.send({ type: 'answer', more: true, chains: [] })
  },
  async probing(session) {
    await INITIATOR_STATES['named']?.(session)
    session.send({ type: 'answer', more: false, chains: [{ index: 0, held: [false], tips: [UNKNOWN_TIP] }] })
    await session.expect('probe')
  },
  async transfer(session) {
    await INITIATOR_STATES['named']?.(session)
    session.send({ type: 'answer', more: false, chains: [] })
    await session.expect('done')
  }
}

export const SALT = new Uint8Array(16).fill(5)

/** A sketch of a responder; of one chain that nobody else has, if not said otherwise. */
export function sketch(entries: readonly Uint8Array[] = [new Uint8Array(5).fill(1)]): Frame {
  return { type: 'sketch', membership: MEMBERSHIP, salt: SALT, entries }
}

/** A session that Anna opens with Mallory at once. */
export async function openedByAnna({ anna, mallory }: HostileWorld): Promise<RawSession> {
  const opened = mallory.next()
  const synced = anna.node.sync({ namespace: NAMESPACE })
  await Promise.race([opened, synced])
  return await opened
}
