import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { castOf } from '../../simulations/nodes/cast.ts'
import { newFolder } from '../support/cli.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import { adminOf, admit, entryOf, meshPortOf, signerEntry, stopNode } from '../support/mesh-folders.ts'
import { init, startNode } from '../support/nodes.ts'
import type { ServingNode } from '../support/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { DIALS, EVENTS, NAMESPACE, NEIGHBOURS, NODES, tellStory } from './real-processes-story.ts'
import type { Outcome, StoryNode } from './real-processes-story.ts'

const run = promisify(execFile)

/** One chain of a member without a node: the same bytes wherever they are handed in. */
async function makeEvents(): Promise<{
  readonly author: Parameters<typeof signerEntry>[0]
  readonly events: readonly SignedEvent[]
}> {
  const author = (await castOf({ nodes: NODES + 1 }, '1')).at(-1)
  if (author === undefined) throw new RangeError('nobody signs')
  const events: SignedEvent[] = []
  for (let turn = 0; turn < EVENTS.byGossip + EVENTS.bySync; turn += 1) {
    const body = { ...announceBody(`batch-${turn}`), timestampAnchors: [] }
    events.push(await next(author, events.at(-1) ?? null, body, { namespace: NAMESPACE }))
  }
  return { author, events }
}

/** Eight processes of the real program, which find each other over loopback. */
async function realNodes(author: Parameters<typeof signerEntry>[0]): Promise<readonly StoryNode[]> {
  const root = newFolder()
  const folders = DIALS.map((_, node) => join(root, `n${node}`))
  await Promise.all(folders.map((folder, node) => init(folder, `org-${node}`)))
  const ports = new Map<number, number>()
  const nodes: StoryNode[] = []
  for (const [node, dialled] of DIALS.entries()) {
    const folder = folders[node] ?? ''
    const entries = await Promise.all(
      folders.flatMap((other, index) =>
        index === node ? [] : [entryOf(other, dialled.includes(index) ? ports.get(index) : undefined)]
      )
    )
    await admit(folder, [...entries, signerEntry(author)])
    const serving = await startNode(folder)
    ports.set(node, meshPortOf(serving))
    nodes.push(realNode(folder, serving))
  }
  return nodes
}

function realNode(folder: string, first: ServingNode): StoryNode {
  let serving = first
  return {
    submit: (wire) => adminOf(folder).submit(wire),
    holds: async (id) => (await adminOf(folder).event(id)) !== null,
    status: () => adminOf(folder).status(),
    gossip: async () => {
      const text = await (await fetch(new URL('/metrics', serving.ready.http))).text()
      return {
        delivered: counted(text, 'anchormesh_gossipsub_pre_validation_valid_total'),
        duplicates: counted(text, 'anchormesh_gossipsub_pre_validation_duplicate_total')
      }
    },
    stop: async () => await stopNode(serving),
    start: async () => {
      serving = await startNode(folder)
    }
  }
}

/** The sum of a counter over its labels. */
function counted(metrics: string, name: string): number {
  return metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

async function simulated(file: string, latencyMs: number): Promise<Outcome> {
  const installed = join(import.meta.dirname, '../../simulations/world/install.ts')
  const command = [
    '--import',
    installed,
    join(import.meta.dirname, 'simulated-story.child.ts'),
    file,
    '1',
    String(latencyMs)
  ]
  return JSON.parse((await run(process.execPath, command)).stdout) as Outcome
}

test('real processes over loopback and simulated nodes do the same with the same events', async () => {
  const { author, events } = await makeEvents()
  const file = join(newFolder(), 'events.json')
  writeFileSync(
    file,
    JSON.stringify(events.map(({ id, wire }) => ({ id, base64: Buffer.from(wire).toString('base64') })))
  )
  const inWorld = await simulated(file, 1)
  const real = await tellStory(
    {
      nodes: await realNodes(author),
      until: async (what, ask) => void (await untilAnswer(what, ask))
    },
    events
  )
  const gap = (of: (outcome: Outcome) => number): number => Math.abs(of(real) - of(inWorld))
  // Nothing is lost in a mesh that stands; on a busy machine a verdict can come too late, and sync brings the event.
  expect(inWorld.deliveredShare).toBe(1)
  expect(real.deliveredShare).toBeGreaterThan(0.95)
  // Everybody sends to its neighbours, but for those of whom it knows already that they have it: how often that is in
  // time differs, as real processes wait for each other's processor, and which link is out of the mesh is drawn by lot.
  expect(gap(({ duplicatesPerDelivery }) => duplicatesPerDelivery)).toBeLessThan(0.2 * inWorld.duplicatesPerDelivery)
  // What was missed comes once, by sync. A session that finds both equal has one round at most, one that brings events
  // two: what differs, and the events. Each neighbour may be asked before what another has sent is safe, and brings it
  // again; afterwards all are equal, and how many more sessions there are depends on how long the last write takes.
  expect([real.catchUp.received, inWorld.catchUp.received]).toEqual([EVENTS.bySync, EVENTS.bySync])
  for (const { catchUp } of [real, inWorld]) {
    expect(catchUp.rounds).toBeGreaterThanOrEqual(1)
    expect(catchUp.rounds).toBeLessThanOrEqual(catchUp.sessions + NEIGHBOURS)
    expect(catchUp.duplicate).toBeLessThanOrEqual((NEIGHBOURS - 1) * EVENTS.bySync)
  }
  expect(gap(({ catchUp }) => catchUp.rounds / catchUp.sessions)).toBeLessThan(1)
  // How many find both equal depends on how long the mesh has stood.
  expect(gap(({ roundsPerSession }) => roundsPerSession)).toBeLessThan(0.4)
})
