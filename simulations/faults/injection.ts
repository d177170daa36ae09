import { drawOf } from '../network/latency.ts'
import type { WhichLinks } from '../network/simulated-net.ts'
import type { Simulation, SimulatedNode } from '../model/simulation.ts'
import type { Fault, LinkRule, Selection } from '../scenario/schema.ts'
import { crosses, groupsOf } from './groups.ts'
import { Holds } from './holds.ts'
import { drawName } from './occurrences.ts'
import type { Occurrence } from './occurrences.ts'

/** What a fault does, who it is done to, and how it is undone. */
export interface Injection {
  readonly nodes?: readonly SimulatedNode[]
  readonly groups?: readonly (readonly Pick<SimulatedNode, 'name'>[])[]
  /** Done when what it starts has been done; `undo` comes after that. */
  readonly act: () => void | Promise<void>
  readonly undo?: () => void | Promise<void>
}

/** What takes more than one node to be done: what their policies say, and whose keys count. */
export interface Governance {
  /** The others' policies name these nodes from now on, and theirs the others. */
  admit(nodes: readonly SimulatedNode[]): Promise<void>
  /** The organisation of the node takes the node's key back; it signs with another one from then on. */
  revoke(node: SimulatedNode): Promise<void>
}

type Select = (selection: Selection, key?: string) => readonly SimulatedNode[]
type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>

/** Who is meant, and which time it is that the fault happens. */
interface Which {
  readonly select: Select
  readonly turn: number
  /** Of the fault. */
  readonly name: string
}

type Maker<Of extends Fault> = (fault: Of, which: Which) => Injection

/** Makes what the faults of a run do. It knows what several of them do to one node at the same time. */
export class Injector {
  readonly #simulation: Simulation
  readonly #governance: Governance
  /** Nodes that faults keep off, hold still, without room, or slow, and chains that they keep from nodes. */
  readonly #off = new Holds<SimulatedNode>()
  readonly #paused = new Holds<SimulatedNode>()
  readonly #full = new Holds<SimulatedNode>()
  readonly #slow = new Holds<SimulatedNode>()
  readonly #unreachable = new Holds<string>()
  readonly #makers: { readonly [Kind in Fault['kind']]: Maker<FaultOf<Kind>> } = {
    partition: (fault, which) => this.#partition(fault, which),
    cut: ({ from, to, oneWay }, { select }) => {
      const [one, other] = [select(from, 'from'), select(to, 'to')]
      return { nodes: union(one, other), ...this.#cut(between(one, other, !oneWay)) }
    },
    links: ({ from, to, link }, { select }) => {
      const [one, other] = [select(from, 'from'), select(to, 'to')]
      return { nodes: union(one, other), ...this.#change(between(one, other, false), definedOf(link)) }
    },
    pause: ({ nodes }, { select }) =>
      held(select(nodes), this.#paused, (node, isOn) => (isOn ? node.pause() : node.resume())),
    crash: ({ nodes, power }, { select }) => this.#away(select(nodes), (node) => node.crash({ power })),
    stop: ({ nodes }, { select }) => this.#away(select(nodes), async (node) => await node.stop()),
    'lose-disk': ({ nodes }, { select }) => this.#away(select(nodes), (node) => node.loseDisk()),
    'disk-full': ({ nodes }, { select }) => held(select(nodes), this.#full, (node, isOn) => node.disk.setFull(isOn)),
    'slow-disk': (fault, { select }) => this.#slowDisk(fault, select(fault.nodes)),
    clock: (fault, { select }) => clock(fault, select(fault.nodes)),
    reorganise: ({ chain, depth }) => ({ act: () => this.#simulation.chains.reorganise(chain, depth) }),
    'chain-away': ({ chain, nodes }, { select }) => this.#chainAway(chain, select(nodes)),
    revoke: ({ node }, { select }) => this.#revoke(select({ nodes: [node] })),
    join: (fault) => this.#join(fault)
  }

  constructor(simulation: Simulation, governance: Governance) {
    this.#simulation = simulation
    this.#governance = governance
    // They do not come back from what others suffer before they have joined.
    for (const node of this.#late()) this.#off.take(node)
  }

  #late(): readonly SimulatedNode[] {
    const { late } = this.#simulation.scenario
    return late === undefined ? [] : this.#simulation.select(late, LATE)
  }

  /** `name` is the fault's, by which it draws who is meant. */
  injectionOf(fault: Fault, { turn }: Occurrence, name: string): Injection {
    const select: Select = (selection, key = 'nodes') => this.#simulation.select(selection, drawName(name, key, turn))
    const maker = this.#makers[fault.kind] as Maker<Fault>
    return maker(fault, { select, turn, name })
  }

  #partition({ groups }: FaultOf<'partition'>, { name, turn }: Which): Injection {
    const sides = groupsOf(groups, this.#simulation, `${name}.groups`, turn)
    return { groups: sides, ...this.#cut(crosses(sides)) }
  }

  #cut(which: WhichLinks): Pick<Injection, 'act' | 'undo'> {
    let heal = (): void => {}
    return {
      act: () => {
        heal = this.#simulation.net.cut(which)
      },
      undo: () => heal()
    }
  }

  #change(which: WhichLinks, rule: Partial<LinkRule>): Pick<Injection, 'act' | 'undo'> {
    let restore = (): void => {}
    return {
      act: () => {
        restore = this.#simulation.net.change(which, rule)
      },
      undo: () => restore()
    }
  }

  #away(nodes: readonly SimulatedNode[], end: (node: SimulatedNode) => void | Promise<void>): Injection {
    return {
      nodes,
      act: async () => {
        for (const node of nodes) this.#off.take(node)
        await each(nodes, end)
      },
      undo: () => this.#on(nodes)
    }
  }

  /** Starts those whom nothing else keeps off. */
  async #on(nodes: readonly SimulatedNode[]): Promise<void> {
    const free = nodes.filter((node) => this.#off.release(node))
    await each(free, async (node) => {
      if (node.state === 'off') await node.boot()
    })
  }

  #slowDisk({ syncMs }: FaultOf<'slow-disk'>, nodes: readonly SimulatedNode[]): Injection {
    const [slow, usual] = [drawOf(syncMs), drawOf(this.#simulation.scenario.disk.syncMs)]
    return held(nodes, this.#slow, (node, isOn) => node.disk.setSyncMs(isOn ? slow : usual))
  }

  #revoke(nodes: readonly SimulatedNode[]): Injection {
    return { nodes, act: async () => await each(nodes, async (node) => await this.#governance.revoke(node)) }
  }

  #chainAway(chain: string, nodes: readonly SimulatedNode[]): Injection {
    const { chains } = this.#simulation
    const way = (node: SimulatedNode): string => `${chain} ${node.name}`
    const reach = (some: readonly SimulatedNode[], isReachable: boolean): void =>
      chains.setReachable(
        chain,
        some.map(({ name }) => name),
        isReachable
      )
    return {
      nodes,
      act: () =>
        reach(
          nodes.filter((node) => this.#unreachable.take(way(node))),
          false
        ),
      undo: () =>
        reach(
          nodes.filter((node) => this.#unreachable.release(way(node))),
          true
        )
    }
  }

  #join({ nodes: selection, policy }: FaultOf<'join'>): Injection {
    const nodes = this.#simulation.select(selection, LATE)
    return {
      nodes,
      act: async () => {
        if (policy) await this.#governance.admit(nodes)
        await this.#on(nodes)
      }
    }
  }
}

/** Does something to nodes for as long as any fault does it. */
function held(
  nodes: readonly SimulatedNode[],
  holds: Holds<SimulatedNode>,
  set: (node: SimulatedNode, isOn: boolean) => void
): Injection {
  return {
    nodes,
    act: () => {
      for (const node of nodes) if (holds.take(node)) set(node, true)
    },
    undo: () => {
      for (const node of nodes) if (holds.release(node)) set(node, false)
    }
  }
}

function clock({ skewMs, driftPpm }: FaultOf<'clock'>, nodes: readonly SimulatedNode[]): Injection {
  const set = (error: Parameters<SimulatedNode['setClock']>[0]) => (): void => {
    for (const node of nodes) node.setClock(error)
  }
  return { nodes, act: set({ skewMs, driftPpm }), undo: set(null) }
}

async function each(
  nodes: readonly SimulatedNode[],
  run: (node: SimulatedNode) => void | Promise<void>
): Promise<void> {
  await Promise.all(nodes.map(async (node) => await run(node)))
}

function between(from: readonly SimulatedNode[], to: readonly SimulatedNode[], bothWays: boolean): WhichLinks {
  const here = new Set(from.map(({ address }) => address))
  const there = new Set(to.map(({ address }) => address))
  return (one, other) => (here.has(one) && there.has(other)) || (bothWays && there.has(one) && here.has(other))
}

function union(some: readonly SimulatedNode[], others: readonly SimulatedNode[]): readonly SimulatedNode[] {
  return [...new Set([...some, ...others])]
}

function definedOf(rule: FaultOf<'links'>['link']): Partial<LinkRule> {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined))
}

/** Under this name those that are late are drawn, and those of them that join. */
export const LATE = 'late'
