import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { syncTotals } from '../../src/cli/demo/healing.ts'
import type { Link } from '../../src/cli/demo/link.ts'
import { openLink } from '../../src/cli/demo/link.ts'
import type { Digest, NodeStatus, SyncResult } from '../../src/operations.ts'
import { newFolder, runJson, runJsonLines } from '../support/cli.ts'
import { collect } from '../support/collect.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { member } from '../support/identities.ts'
import { admit, adminOf, entryOf, meshPortOf, signerEntry } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode, untilMeshed } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'

const EVENTS_OF_SIDE = 2_000
const SIGNERS_OF_SIDE = 20
const PEERS = 2

/**
 * Each of two peers brings the cut node everything and gets everything of it, where both begin at the same moment; and
 * each then asks again whether it is equal.
 */
const ROUNDS_MAX = 16
const OVERHEAD_MAX = 1.05

const signersOf = (side: string): TestMember[] =>
  Array.from({ length: SIGNERS_OF_SIDE }, (_, index) => member(`${side}-${index}`))

const links: Link[] = []

afterEach(async () => {
  for (const link of links.splice(0)) await link.close()
})

async function linkTo(port: number): Promise<Link> {
  const link = await openLink(port)
  links.push(link)
  return link
}

/** Events of each signer's chain, the signers taking turns. */
async function announces(signers: readonly TestMember[]): Promise<SignedEvent[]> {
  const tips = new Map<TestMember, SignedEvent>()
  const events: SignedEvent[] = []
  for (let index = 0; index < EVENTS_OF_SIDE; index += 1) {
    const signer = signers[index % signers.length] as TestMember
    const body = announceBody(`batch-${signer.orgId}-${index}`)
    const event = await next(signer, tips.get(signer) ?? null, body, { namespace: NAMESPACE })
    tips.set(signer, event)
    events.push(event)
  }
  return events
}

async function importInto(folder: string, events: readonly SignedEvent[]): Promise<void> {
  async function* wires(): AsyncGenerator<Uint8Array> {
    for (const { wire } of events) yield wire
  }
  expect(await adminOf(folder).importEvents(wires())).toMatchObject({ accepted: events.length, refused: {} })
}

const bytesOf = (events: readonly SignedEvent[]): number => events.reduce((sum, { wire }) => sum + wire.length, 0)

const connectedPeers = ({ network }: NodeStatus): number =>
  network?.peers.filter(({ connected }) => connected).length ?? 0

async function untilConnected(folders: readonly string[], peers: readonly number[]): Promise<void> {
  await untilAnswer(`${folders.length} nodes are connected to ${peers.join(', ')} others`, async () => {
    const statuses = await Promise.all(folders.map((folder) => adminOf(folder).status()))
    return statuses.every((status, index) => connectedPeers(status) === peers[index])
  })
}

test('a node that was cut off heals: equal digests in a bounded number of rounds, and nothing is gossiped again', async () => {
  const [anna, ben, cleo] = ['anna', 'ben', 'cleo'].map((name) => join(newFolder(), name)) as [string, string, string]
  const folders = [anna, ben, cleo]
  const [near, far] = [signersOf('near'), signersOf('far')]
  for (const [index, folder] of folders.entries()) await init(folder, `org-${index}`)
  const signers = [...near, ...far].map(signerEntry)
  await admit(anna, [await entryOf(ben), await entryOf(cleo), ...signers])
  const annaPort = meshPortOf(await startNode(anna))
  await admit(ben, [await entryOf(anna, annaPort), await entryOf(cleo), ...signers])
  const benPort = meshPortOf(await startNode(ben))
  // Only the cut node dials, and only over what can be cut.
  const [toAnna, toBen] = [await linkTo(annaPort), await linkTo(benPort)]
  await admit(cleo, [await entryOf(anna, toAnna.port), await entryOf(ben, toBen.port), ...signers])
  await startNode(cleo)
  await Promise.all(folders.map((folder) => untilMeshed(folder, PEERS)))

  toAnna.cut()
  toBen.cut()
  await untilConnected(folders, [1, 1, 0])
  const [nearEvents, farEvents] = [await announces(near), await announces(far)]
  await Promise.all([importInto(anna, nearEvents), importInto(cleo, farEvents)])
  const [toldBen, ...others] = await runJsonLines<SyncResult>(['sync', '--namespace', NAMESPACE, '--data', anna])
  expect(others).toEqual([])
  // What was imported is offered to the peers at once, so there may be nothing left to do.
  expect(['equal', 'synced']).toContain(toldBen?.end)
  const before = await Promise.all(folders.map((folder) => adminOf(folder).status()))

  toAnna.heal()
  toBen.heal()
  await untilAnswer('the digests of all three are equal', async () => {
    const digests = await Promise.all(folders.map((folder) => adminOf(folder).digest(NAMESPACE)))
    return new Set(digests.map(({ events }) => events)).size === 1
  })
  await untilAnswer('no session is under way', async () => {
    const statuses = await Promise.all(folders.map((folder) => adminOf(folder).status()))
    const isOver = ({ isRunning, last }: NodeStatus['sync'][number]): boolean =>
      !isRunning && (last?.end === 'equal' || last?.end === 'synced')
    return statuses.every(({ sync }) => sync.every(isOver))
  })
  const asked = await runJsonLines<SyncResult>(['sync', '--namespace', NAMESPACE, '--data', cleo])
  expect(asked.map(({ end, rounds, eventsSent }) => ({ end, rounds, eventsSent }))).toEqual(
    Array.from({ length: PEERS }, () => ({ end: 'equal', rounds: 1, eventsSent: 0 }))
  )
  const digests = await Promise.all(
    folders.map((folder) => runJson<Digest>(['digest', '--namespace', NAMESPACE, '--data', folder]))
  )
  const comparable = digests.map((digest) => ({ ...digest, logSeq: 0 }))
  expect(comparable).toEqual([comparable[0], comparable[0], comparable[0]])
  expect(digests[0]?.count).toBe(2 * EVENTS_OF_SIDE)

  const after = await runJson<NodeStatus>(['status', '--data', cleo])
  const [was, is] = [syncTotals(before[2] as NodeStatus, NAMESPACE), syncTotals(after, NAMESPACE)]
  expect(is.received - was.received).toBe(EVENTS_OF_SIDE)
  expect(is.rounds - was.rounds).toBeLessThanOrEqual(ROUNDS_MAX)
  const moved = is.sent - was.sent + (is.received - was.received) + (is.duplicate - was.duplicate)
  const eventBytes = (bytesOf(nearEvents) + bytesOf(farEvents)) / (2 * EVENTS_OF_SIDE)
  expect(moved).toBeLessThanOrEqual(PEERS * 2 * EVENTS_OF_SIDE)
  expect(is.bytes - was.bytes).toBeLessThan(OVERHEAD_MAX * moved * eventBytes)

  const logged = await Promise.all(folders.map((folder) => collect(adminOf(folder).events({ namespace: NAMESPACE }))))
  for (const events of logged) expect(new Set(events.map(({ id }) => id)).size).toBe(2 * EVENTS_OF_SIDE)
  expect(logged.map(({ length }) => length)).toEqual(folders.map(() => 2 * EVENTS_OF_SIDE))
  const gossip = await Promise.all(folders.map(async (folder) => (await adminOf(folder).status()).network?.gossip))
  // Nobody published what it had synced, and so nobody had any of it to judge a second time.
  expect(gossip).toEqual(before.map(({ network }) => network?.gossip))
})
