import { countOn, holdsEvents, honestNodes, projectionNamed, rowsOn } from '../../../simulations/checks/held.ts'
import type {
  Check,
  Forbidden,
  SimulatedNode,
  Simulation,
  SimulationExtension
} from '../../../simulations/model/simulation.ts'
import type { WinnerRow } from '../../../src/projections/winners.ts'

/**
 * What a scenario has to have shown, beside that nothing is wrong: that what it asks about did happen. Looked for by a
 * check that runs with it; times are seconds of the scenario.
 */
interface Claim {
  readonly from: number
  readonly until: number
  /** Looked at from `from` to `until`: whether it was so at any time. */
  readonly during: (simulation: Simulation) => boolean | Promise<boolean>
  /** What is wrong in the end; `null`: nothing. */
  readonly end: (wasSo: boolean, simulation: Simulation) => string | null | Promise<string | null>
}

const ALWAYS = { from: 0, until: Infinity }
const never = (): boolean => false
const unless = (isRight: boolean, problem: string): string | null => (isRight ? null : problem)

async function winnersOn(node: SimulatedNode): Promise<ReadonlyMap<string, WinnerRow>> {
  const { rows } = await rowsOn(node, projectionNamed('winners'))
  return new Map([...rows].map(([key, row]) => [key, row as WinnerRow]))
}

/** How the batches stand in which evidence of these events was judged, and lost. */
async function lostTo(node: SimulatedNode, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = [...(await winnersOn(node)).values()]
  const judged = rows.filter(({ losers }) => losers.some(({ eventId }) => ids.includes(eventId)))
  return new Set(judged.map(({ status }) => status))
}

async function settledOn(node: SimulatedNode): Promise<number> {
  return [...(await winnersOn(node)).values()].filter(({ status }) => status === 'settled').length
}

/** Whether two honest nodes have winners of one batch with other roots. */
async function haveConflictingWinners(simulation: Simulation): Promise<boolean> {
  const roots = new Map<string, string>()
  for (const node of honestNodes(simulation)) {
    for (const [key, { batchRoot }] of await winnersOn(node)) {
      if (batchRoot === null) continue
      if ((roots.get(key) ?? batchRoot) !== batchRoot) return true
      roots.set(key, batchRoot)
    }
  }
  return false
}

const main = ({ scenario }: Simulation): string => scenario.namespaces[0] ?? ''

const lags =
  (behind: number, ahead: number) =>
  async (simulation: Simulation): Promise<boolean> => {
    const [one, other] = [simulation.nodes[behind], simulation.nodes[ahead]]
    if (one === undefined || other === undefined) return false
    return (await countOn(one, main(simulation))) < (await countOn(other, main(simulation)))
  }

function forbiddenIds({ ledger }: Simulation, what: Forbidden['what']): readonly string[] {
  return [...ledger.forbiddenEvents].flatMap(([id, entry]) => (entry.what === what ? [id] : []))
}

async function holdWithEffect(simulation: Simulation): Promise<boolean> {
  const ids = forbiddenIds(simulation, 'effect')
  for (const node of honestNodes(simulation)) {
    const { rows } = await rowsOn(node, projectionNamed('effects'))
    const without = new Set([...rows.values()].map(({ eventId }) => eventId))
    const held = await holdsEvents(node, ids)
    if (ids.some((id, at) => held[at] === true && !without.has(id))) return true
  }
  return false
}

async function leastHeld(simulation: Simulation, ids: readonly string[]): Promise<number> {
  let least = ids.length
  for (const node of honestNodes(simulation))
    least = Math.min(least, (await holdsEvents(node, ids)).filter((holds) => holds).length)
  return least
}

/** The smallest part of what was acknowledged that an honest node holds. */
async function deliveryOf(simulation: Simulation): Promise<number> {
  const ids = [...simulation.ledger.acknowledgedEvents.keys()]
  return (await leastHeld(simulation, ids)) / ids.length
}

const rejections = (simulation: Simulation): number =>
  honestNodes(simulation).reduce((sum, { rejected }) => sum + rejected.length, 0)

/** How many events a node has put off since its start because their signer or their sender was too fast. */
async function putOffOn(node: SimulatedNode | undefined): Promise<number> {
  const status = await node?.ask((running) => running.status())
  return status?.ingest.outcomes['ignored(RATE_LIMITED)'] ?? 0
}

/** How sessions of range-sync have ended on a node since its start, whoever opened them. */
async function sessionsOf(node: SimulatedNode): Promise<{ lied: number; badFrame: number; well: number }> {
  const { syncEnds } = await node.ask((running) => running.counts())
  const sum = (end: keyof typeof syncEnds.initiator): number => syncEnds.initiator[end] + syncEnds.responder[end]
  return { lied: sum('lied'), badFrame: sum('bad-frame'), well: sum('synced') + sum('equal') }
}

/** Nodes fall behind while the scenario has them apart; that they catch up is for the convergence check. */
const fallsBehind = (behind: number, ahead: number, from: number, until: number): Claim => ({
  from,
  until,
  during: lags(behind, ahead),
  end: (wasSo) => unless(wasSo, `n${behind} was never behind n${ahead}`)
})

export const CLAIMS: Readonly<Record<string, Claim>> = {
  'split-brain': {
    from: 30,
    until: 119,
    during: haveConflictingWinners,
    end: async (wasSo, simulation) =>
      unless(wasSo, 'no batch had two winners during the partition') ??
      unless(!(await haveConflictingWinners(simulation)), 'a batch has two winners in the end')
  },
  'quorum-across-partition': {
    from: 11,
    until: 119,
    async during({ nodes }) {
      for (const node of nodes) if ((await settledOn(node)) > 0) return true
      return false
    },
    async end(wasSo, { nodes }) {
      for (const node of nodes) if ((await settledOn(node)) === 0) return `${node.name} has nothing settled in the end`
      return unless(!wasSo, 'a minority has settled a winner')
    }
  },
  'late-publish': {
    ...ALWAYS,
    during: never,
    async end(_, simulation) {
      const ids = forbiddenIds(simulation, 'to-win')
      const heard = await leastHeld(simulation, ids)
      // Gossip alone has brought every other one, range-sync alone those between.
      if (ids.length < 4 || heard < ids.length)
        return `of ${ids.length} attacks on settled winners ${heard} came to all`
      for (const node of honestNodes(simulation)) {
        const lost = await lostTo(node, ids)
        if (lost.size === 0) return `${node.name} has judged none of the attacks`
        if (lost.size > 1 || !lost.has('settled')) return `an attack has made a winner ${[...lost].join(' or ')}`
      }
      return null
    }
  },
  'revocation-in-partition': {
    from: 50,
    until: 120,
    during: holdWithEffect,
    end: async (wasSo, simulation) =>
      unless(wasSo, 'nobody ever took an event of the stolen key with effect') ??
      unless(!(await holdWithEffect(simulation)), 'an event of the stolen key has effect')
  },
  'equivocating-signer': {
    ...ALWAYS,
    during: never,
    async end(_, simulation) {
      const signer = simulation.nodes[3]?.signer.did
      for (const node of honestNodes(simulation)) {
        const { rows } = await rowsOn(node, projectionNamed('equivocations'))
        const found = [...rows.values()].filter((row) => row['signer'] === signer)
        if (found.length === 0) return `${node.name} did not find out`
        for (const { events } of found)
          if ((await holdsEvents(node, events as string[])).includes(false)) return `${node.name} lacks a story`
      }
      return null
    }
  },
  'lying-sync-peer': {
    from: 21,
    until: 70,
    during: lags(0, 3),
    async end(wasSo, simulation) {
      if (!wasSo) return 'nobody needed range-sync'
      let lies = 0
      for (const node of honestNodes(simulation)) {
        const { lied, badFrame, well } = await sessionsOf(node)
        lies += lied
        if (lied + badFrame === 0 || well === 0) return `${node.name} has met ${well > 0 ? 'no liar' : 'nobody honest'}`
      }
      if (lies === 0) return 'all that was told amiss was garbage'
      if (rejections(simulation) === 0) return 'nobody was sent a forged event'
      return unless((await deliveryOf(simulation)) === 1, 'the lies kept events from somebody')
    }
  },
  'spam-and-replay': {
    from: 30,
    until: 80,
    during: async (simulation) => (await putOffOn(honestNodes(simulation)[0])) > 100,
    end: async (wasSo, simulation) =>
      unless(wasSo, 'no flood of valid events was faster than policy lets it') ??
      unless(forbiddenIds(simulation, 'to-hold').length > 500, 'there was no flood of garbage') ??
      unless(rejections(simulation) > 0, 'nobody has judged any of it') ??
      unless((await deliveryOf(simulation)) === 1, 'the flood kept events from somebody')
  },
  'sybil-flood': {
    ...ALWAYS,
    during: never,
    async end(_, simulation) {
      const sybils = simulation.nodes.length - honestNodes(simulation).length
      if (sybils < 20 * honestNodes(simulation).length) return 'there are fewer than 20 sybils to one'
      const delivery = await deliveryOf(simulation)
      return unless(delivery === 1, `an honest node has ${delivery} of what was said`)
    }
  },
  'gossip-baseline': {
    ...ALWAYS,
    during: never,
    end: async (_, simulation) =>
      unless((await deliveryOf(simulation)) < 1, 'gossip alone has brought all that was said in the partition')
  },
  'crash-loop': {
    ...ALWAYS,
    during: ({ nodes }) => nodes[1]?.state === 'off',
    end: (wasSo, { ledger }) =>
      unless(wasSo, 'n1 was never off') ??
      unless(
        [...ledger.acknowledgedEvents.values()].some(({ node }) => node === 'n1'),
        'n1 never said that an event is safe'
      )
  },
  'cold-start': {
    from: 50,
    until: 60,
    during: ({ nodes }) => nodes.every(({ state }) => state === 'off'),
    end: (wasSo) => unless(wasSo, 'there was always somebody')
  },
  'new-organisation': {
    from: 31,
    until: 100,
    during: async (simulation) => (await leastHeld(simulation, [...simulation.ledger.acknowledgedEvents.keys()])) > 0,
    end: async (wasSo, simulation) =>
      unless(wasSo, 'the newcomers learned nothing while the scenario ran') ??
      unless(
        (await countOn(simulation.nodes[3] as SimulatedNode, main(simulation))) > 500,
        'the newcomers lack the history'
      )
  },
  churn: {
    ...ALWAYS,
    during: ({ nodes }) => nodes.some(({ state }) => state === 'off'),
    end: (wasSo, { nodes }) =>
      unless(wasSo && nodes.every(({ state }) => state === 'running'), 'not all have come back and joined')
  },
  'chain-reorganisation': {
    from: 79,
    until: 200,
    async during(simulation) {
      const known = WON.get(simulation) ?? new Map<string, string>()
      WON.set(simulation, known)
      for (const [key, { winner }] of await winnersOn(simulation.nodes[2] as SimulatedNode)) {
        if (known.has(key) && winner?.evidenceHash !== known.get(key)) return true
        if (winner !== null) known.set(key, winner.evidenceHash)
      }
      return false
    },
    end: (wasSo) => unless(wasSo, 'no winner was taken back')
  },
  'one-way-cut': fallsBehind(0, 3, 21, 80),
  'full-disks': fallsBehind(0, 4, 21, 70),
  'flapping-link': fallsBehind(0, 1, 10, 180),
  'rolling-partition': fallsBehind(3, 0, 10, 170),
  'unreliable-frames': {
    ...ALWAYS,
    during: never,
    end: (_, simulation) => {
      const counts = honestNodes(simulation).map(({ gossip }) => gossip)
      const [twice, delivered] = [
        counts.reduce((sum, { duplicates }) => sum + duplicates, 0),
        counts.reduce((sum, count) => sum + count.delivered, 0)
      ]
      return unless(twice > 0.1 * delivered, `of ${delivered} messages ${twice} came twice`)
    }
  },
  'uneven-partition': {
    from: 21,
    until: 80,
    during: async (simulation) => (await deliveryOf(simulation)) < 1,
    end: (wasSo) => unless(wasSo, 'nobody missed anything')
  },
  'clock-skew': {
    from: 21,
    until: 180,
    during: lags(4, 0),
    end: (wasSo) => unless(wasSo, 'no event came from the future')
  },
  'long-partition': {
    from: 0,
    until: 60,
    async during(simulation) {
      const [holder, other] = [simulation.nodes[0] as SimulatedNode, simulation.nodes[3] as SimulatedNode]
      const missing = (await countOn(holder, main(simulation))) - (await countOn(other, main(simulation)))
      return missing > 500
    },
    end: (wasSo) => unless(wasSo, 'nobody held a history that others lacked')
  },
  'mixed-faults': {
    ...ALWAYS,
    during: never,
    end: (_, simulation) =>
      unless(
        simulation.nodes.every(({ state }) => state === 'running'),
        'not all have come back and joined'
      ) ?? unless(rejections(simulation) > 0, 'no Byzantine node did anything')
  }
}

const WON = new WeakMap<Simulation, Map<string, string>>()

function claim(): Check {
  let wasSo = false
  return {
    name: 'shows-what-it-asks',
    async onSample(simulation) {
      const claimed = CLAIMS[simulation.scenario.name]
      const second = (simulation.time.nowUs - simulation.startedUs) / 1_000_000
      if (wasSo || claimed === undefined || second < claimed.from || second > claimed.until) return
      wasSo = await claimed.during(simulation)
    },
    async onEnd(simulation) {
      const problem = (await CLAIMS[simulation.scenario.name]?.end(wasSo, simulation)) ?? null
      if (problem !== null) simulation.fail({ check: 'shows-what-it-asks', detail: problem })
    }
  }
}

export const simulation: SimulationExtension = { checks: [claim()] }
