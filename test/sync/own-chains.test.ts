import { describe, expect, test } from 'vitest'
import type { LoggedRecord } from '../../src/log/log-reader.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { OwnChains } from '../../src/sync/own-chains.ts'
import type { FinishedSession } from '../../src/sync/session-book.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { codeOf } from '../support/code-of.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { member, NAMESPACE } from '../support/identities.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { peerIdOf } from '../node/nodes.ts'
import { meshPolicy } from './mesh.ts'

const [SELF, BEN, CLEO] = [member('self'), member('ben'), member('cleo')]

interface Watched {
  readonly chains: OwnChains
  readonly clock: HandClock
  readonly lines: LogLine[]
  /** PeerIds of those that are connected. */
  readonly connected: Set<string>
  isSyncing: boolean
  /** An event of the own chain comes from outside. */
  ownEventComes(): void
  ended(peerId: string, end: FinishedSession['report']['end'], hasLeft?: boolean): void
  /** Whether an event may be signed now: `yes`, the code why not, or null while that is not known. */
  ask(): { answer(): string | null }
}

function watched(): Watched {
  const policy = viewPolicy(meshPolicy(SELF, [SELF, BEN, CLEO]))
  const clock = createHandClock()
  const lines: LogLine[] = []
  const connected = new Set<string>()
  let append: (records: readonly LoggedRecord[]) => void = () => {}
  const { did, kid } = SELF.signer
  const state: Watched = {
    chains: new OwnChains({
      log: {
        onAppended(listener) {
          append = listener
          return () => {}
        }
      },
      signer: () => ({ did, kid }),
      policy: () => policy,
      connected: () => [...connected],
      isSyncing: () => state.isSyncing,
      clock,
      logger: recordingLogger(lines)
    }),
    clock,
    lines,
    connected,
    isSyncing: false,
    ownEventComes() {
      const chain = chainIdOf({ signer: did, kid, namespace: NAMESPACE })
      const event = { id: 'own', chain, envelope: { authorSeq: 7 } }
      append([{ scope: 'shared', event } as unknown as LoggedRecord])
    },
    ended(peerId, end, hasLeft = false) {
      const report = { end, hasLeft } as FinishedSession['report']
      state.chains.noteSession({ peerId, namespace: NAMESPACE, role: 'initiator', othersRun: false, at: 0, report })
    },
    ask() {
      let answer: string | null = null
      state.chains.ready(NAMESPACE).then(
        () => (answer = 'yes'),
        (error: unknown) => (answer = String(codeOf(error)))
      )
      return { answer: () => answer }
    }
  }
  return state
}

/** Connects a peer as the node does. */
function connect({ connected, chains }: Watched, who: typeof BEN): string {
  connected.add(peerIdOf(who))
  chains.noteConnected()
  return peerIdOf(who)
}

const warnings = ({ lines }: Watched): string[] =>
  lines.filter(({ level }) => level === 'warn').map(({ message }) => message)

describe('before the first event after a start', () => {
  test('all peers are away: it is signed after five seconds, with a warning, and the next one at once', async () => {
    const node = watched()
    const first = node.ask()
    await node.clock.advance(4_999)
    expect(first.answer()).toBeNull()
    await node.clock.advance(1)
    expect(first.answer()).toBe('yes')
    expect(warnings(node)).toEqual(['an event is signed though no peer could be asked what it holds of this chain'])
    const second = node.ask()
    await node.clock.advance(0)
    expect(second.answer()).toBe('yes')
  })

  test('a peer that connects later is asked before the next event is signed', async () => {
    const node = watched()
    await node.clock.advance(60_000)
    const ben = connect(node, BEN)
    const asked = node.ask()
    await node.clock.advance(1_000)
    expect(asked.answer()).toBeNull()
    node.ended(ben, 'equal')
    await node.clock.advance(0)
    expect(asked.answer()).toBe('yes')
    expect(warnings(node)).toEqual([])
  })

  test('every connected peer is asked, as one of them may be behind as well', async () => {
    const node = watched()
    const [ben, cleo] = [connect(node, BEN), connect(node, CLEO)]
    node.ended(ben, 'equal')
    const asked = node.ask()
    await node.clock.advance(1_000)
    expect(asked.answer()).toBeNull()
    node.ownEventComes()
    node.ended(cleo, 'synced')
    await node.clock.advance(0)
    expect(asked.answer()).toBe('yes')
  })

  test('a session that takes longer than five seconds is waited for: it may bring more of the chain at its end', async () => {
    const node = watched()
    const ben = connect(node, BEN)
    node.isSyncing = true
    const asked = node.ask()
    await node.clock.advance(30_000)
    expect(asked.answer()).toBeNull()
    node.ownEventComes()
    node.isSyncing = false
    node.ended(ben, 'synced')
    await node.clock.advance(0)
    expect(asked.answer()).toBe('yes')
    expect(node.chains.behind).toEqual([])
  })

  test('but no longer than a minute: OWN_CHAIN_BEHIND, and nothing is signed', async () => {
    const node = watched()
    connect(node, BEN)
    node.isSyncing = true
    const asked = node.ask()
    await node.clock.advance(60_000)
    expect(asked.answer()).toBe('OWN_CHAIN_BEHIND')
  })

  test('peers that do not answer for the namespace hold nobody up, neither now nor each time', async () => {
    const node = watched()
    const ben = connect(node, BEN)
    node.ended(ben, 'wrong-namespace')
    for (const waitMs of [5_000, 0, 0]) {
      const asked = node.ask()
      await node.clock.advance(waitMs)
      expect(asked.answer()).toBe('yes')
    }
  })
})

test('while peers hold more, nothing is signed until a session has brought it', async () => {
  const node = watched()
  const ben = connect(node, BEN)
  node.ended(ben, 'equal')
  node.ownEventComes()
  const refused = node.ask()
  await node.clock.advance(5_000)
  expect(refused.answer()).toBe('OWN_CHAIN_BEHIND')
  expect(node.chains.behind).toEqual([NAMESPACE])
  node.ended(ben, 'synced', true)
  const still = node.ask()
  await node.clock.advance(1_000)
  expect(still.answer()).toBeNull()
  node.ended(ben, 'synced')
  await node.clock.advance(0)
  expect(still.answer()).toBe('yes')
})

test('a node that stops keeps nobody waiting', async () => {
  const node = watched()
  const asked = node.ask()
  node.chains.stop()
  await node.clock.advance(0)
  expect(asked.answer()).toBe('NODE_NOT_RUNNING')
  expect(node.clock.pendingTimers()).toBe(0)
})
