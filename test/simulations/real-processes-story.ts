import type { NodeStatus } from '../../src/operations.ts'

/** What real nodes and simulated ones are told to do, step for step. */
export const NODES = 8
export const NAMESPACE = 'test:mesh'
/** Handed in while all run, and while the last node does not. */
export const EVENTS = { byGossip: 40, bySync: 25 } as const

/**
 * Whom each node dials: a circle in which everybody knows the next two on both sides. Gossip wants four in its mesh and
 * is content with three, so that hardly any link is out of it by lot. Who is dialled starts before who dials.
 */
export const DIALS: readonly (readonly number[])[] = Array.from({ length: NODES }, (_, node) =>
  [node - 1, node - 2, node + 1 - NODES, node + 2 - NODES].filter((other) => other >= 0)
)
/** Each dials two, and two dial it. */
export const NEIGHBOURS = 4

/** A node of either kind. */
export interface StoryNode {
  submit(wire: Uint8Array): Promise<unknown>
  holds(id: string): Promise<boolean>
  status(): Promise<NodeStatus>
  /** What gossip of the namespace has brought since the node started. */
  gossip(): Promise<{ readonly delivered: number; readonly duplicates: number }>
  stop(): Promise<void>
  start(): Promise<void>
}

export interface Stage {
  readonly nodes: readonly StoryNode[]
  /** Asks again and again, until the answer is yes. */
  readonly until: (what: string, ask: () => Promise<boolean>) => Promise<void>
}

export interface StoryEvent {
  readonly id: string
  readonly wire: Uint8Array
}

/** What came of it. */
export interface Outcome {
  /** Of those of the others, by gossip. */
  readonly deliveredShare: number
  readonly duplicatesPerDelivery: number
  /** Of all sessions until everybody had all events. */
  readonly roundsPerSession: number
  /** Of the node that was away, until it had all. */
  readonly catchUp: {
    readonly sessions: number
    readonly rounds: number
    readonly received: number
    readonly duplicate: number
  }
}

/** One event after the other, each at another node and once everybody has the one before. */
export async function tellStory({ nodes, until }: Stage, events: readonly StoryEvent[]): Promise<Outcome> {
  const last = nodes.at(-1)
  if (last === undefined) throw new RangeError('there are no nodes')
  await until('the mesh of gossip stands', async () => {
    const all = await Promise.all(nodes.map((node) => node.status()))
    return all.every(({ network }) => Object.values(network?.topics ?? {}).every(({ mesh }) => mesh >= 3))
  })
  await handIn(nodes, events.slice(0, EVENTS.byGossip), until)
  const gossip = await Promise.all(nodes.map((node) => node.gossip()))
  const before = await Promise.all(nodes.map((node) => syncTotal(node)))
  await last.stop()
  const others = nodes.slice(0, -1)
  await handIn(others, events.slice(EVENTS.byGossip), until)
  await last.start()
  await until('the node that was away has all', async () => await last.holds(events.at(-1)?.id ?? ''))
  await until('its sessions are over', async () => (await last.status()).sync.every(({ isRunning }) => !isRunning))
  const catchUp = await syncTotal(last)
  const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
    items.reduce((total, item) => total + of(item), 0)
  const delivered = sum(gossip, (each) => each.delivered)
  return {
    deliveredShare: delivered / (EVENTS.byGossip * (NODES - 1)),
    duplicatesPerDelivery: sum(gossip, ({ duplicates }) => duplicates) / delivered,
    roundsPerSession: sum(before, ({ rounds }) => rounds) / sum(before, ({ sessions }) => sessions),
    catchUp
  }
}

async function handIn(
  nodes: readonly StoryNode[],
  events: readonly StoryEvent[],
  until: Stage['until']
): Promise<void> {
  for (const [turn, { id, wire }] of events.entries()) {
    await nodes[turn % nodes.length]?.submit(wire)
    await until('everybody has the event', async () => {
      const held = await Promise.all(nodes.map((node) => node.holds(id)))
      return held.every(Boolean)
    })
  }
}

async function syncTotal(node: StoryNode): Promise<Outcome['catchUp']> {
  const { sync } = await node.status()
  const sum = (of: keyof Outcome['catchUp']): number => sync.reduce((total, peer) => total + peer.total[of], 0)
  return { sessions: sum('sessions'), rounds: sum('rounds'), received: sum('received'), duplicate: sum('duplicate') }
}
