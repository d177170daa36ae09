import type { NodeStatus, PeerSync } from '../../operations.ts'
import { bytes, duration, figure } from '../table.ts'
import type { Cast } from './cast.ts'
import { meshed } from './cast.ts'
import type { DemoNode } from './demo-node.ts'
import { poll } from './poll.ts'

/** Batches that each side announces while the other can't hear it. */
const BATCHES = 100

/** The archive is cut off, both sides go on, and then the nodes find out by themselves what the other side has. */
export async function cutAndHeal(cast: Cast): Promise<void> {
  const { maker, auditor, archive, narrator, links, namespace, context } = cast
  await narrator.step('archive is cut off, both sides go on, and the cut heals')
  links.cut()
  await Promise.all([
    untilConnected(maker, 'one other', (peers) => peers === 1, cast),
    untilConnected(auditor, 'one other', (peers) => peers === 1, cast),
    untilConnected(archive, 'nobody', (peers) => peers === 0, cast)
  ])
  await narrator.say('every connection to archive is cut; all three processes run on')
  const before = await Promise.all([maker.status(), archive.status()])
  await Promise.all([announceMany(maker, 'near', cast), announceMany(archive, 'far', cast)])
  const [near, far] = await Promise.all([
    eventBytes(maker, namespace, before[0]),
    eventBytes(archive, namespace, before[1])
  ])
  await narrator.say(
    `maker announced ${figure(BATCHES)} batches (${bytes(near)}) that archive can’t hear of, ` +
      `archive ${figure(BATCHES)} (${bytes(far)}) that nobody else can`
  )
  const healedAt = context.clock.now()
  links.heal()
  await untilConnected(archive, 'somebody', (peers) => peers > 0, cast)
  const foundMs = context.clock.monotonicMs()
  await narrator.say(
    `healed: a node dials again with growing pauses; ${duration(context.clock.now() - healedAt)} later`
  )
  await untilEqual(cast)
  const tookMs = Math.round(context.clock.monotonicMs() - foundMs)
  const after = await settled(cast, healedAt)
  const cost = costOf(syncTotals(before[1], namespace), syncTotals(after, namespace))
  const moved = (cost.received + cost.duplicate) * (near / BATCHES) + cost.sent * (far / BATCHES)
  await narrator.say(
    `range-sync of archive with ${after.sync.filter((peer) => peer.namespace === namespace).length} peers: ` +
      `${cost.sessions} sessions, ${cost.rounds} rounds; ${figure(cost.received)} events taken in, ${figure(cost.sent)} ` +
      `sent,\n${figure(cost.duplicate)} came twice; ${bytes(cost.bytes)} on the wire, of which ${bytes(Math.round(moved))} ` +
      `are the events themselves (${Math.round((100 * moved) / cost.bytes)} %)`
  )
  await meshed(cast)
  await narrator.reached(`all three hold the same events, ${figure(tookMs)} ms after the first connection`)
}

/** The sum of a node's sync figures over a namespace with all peers. */
export function syncTotals({ sync }: NodeStatus, namespace: string): PeerSync['total'] {
  const totals = sync.filter((peer) => peer.namespace === namespace).map(({ total }) => total)
  const sum = (name: keyof PeerSync['total']): number => totals.reduce((all, total) => all + total[name], 0)
  return {
    sessions: sum('sessions'),
    rounds: sum('rounds'),
    bytes: sum('bytes'),
    sent: sum('sent'),
    received: sum('received'),
    duplicate: sum('duplicate')
  }
}

function costOf(before: PeerSync['total'], after: PeerSync['total']): PeerSync['total'] {
  return {
    sessions: after.sessions - before.sessions,
    rounds: after.rounds - before.rounds,
    bytes: after.bytes - before.bytes,
    sent: after.sent - before.sent,
    received: after.received - before.received,
    duplicate: after.duplicate - before.duplicate
  }
}

async function announceMany(node: DemoNode, prefix: string, { namespace }: Cast): Promise<void> {
  const operations = await node.operations()
  for (let index = 1; index <= BATCHES; index += 1) {
    const batchId = `${prefix}-${index}`
    await operations.seal({ namespace, batchId, receipts: [{ batch: batchId }] })
    await operations.announce({ namespace, batchId, timestampAnchors: [] })
  }
}

/** What the events of the namespace take that came into the log since. */
async function eventBytes(node: DemoNode, namespace: string, { log }: NodeStatus): Promise<number> {
  let count = 0
  const query = { namespace, scope: 'shared', after: log.logSeq } as const
  for await (const event of (await node.operations()).events(query)) {
    count += Buffer.from(event.bytes, 'base64url').length
  }
  return count
}

async function untilConnected(
  node: DemoNode,
  what: string,
  isRight: (peers: number) => boolean,
  { context }: Cast
): Promise<void> {
  const isSo = async (): Promise<true | null> => {
    const connected = (await node.status()).network?.peers.filter((peer) => peer.connected).length ?? 0
    return isRight(connected) ? true : null
  }
  await poll(`${node.name} is connected to ${what}`, isSo, context)
}

async function untilEqual({ nodes, namespace, context }: Cast): Promise<void> {
  const isSo = async (): Promise<true | null> => {
    const digests = await Promise.all(nodes.map((node) => node.digest(namespace)))
    return new Set(digests.map(({ events }) => events)).size === 1 ? true : null
  }
  await poll('all three hold the same events', isSo, context)
}

/** The status of the archive once it has heard of every peer, since the cut was healed, that nothing is left. */
async function settled({ archive, context }: Cast, healedAt: number): Promise<NodeStatus> {
  const isSo = async (): Promise<NodeStatus | null> => {
    const status = await archive.status()
    const isOver = ({ last, isRunning }: PeerSync): boolean =>
      !isRunning && last !== null && last.at >= healedAt && (last.end === 'equal' || last.end === 'synced')
    return status.sync.every(isOver) ? status : null
  }
  return await poll('the sessions of archive are over', isSo, context)
}
