import { LogReader } from '../../src/log/log-reader.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import type { Check, Forbidden, SimulatedNode, Simulation } from '../model/simulation.ts'
import { holdsEvents, honestNodes, projectionNamed, rowsOn } from './held.ts'

const NAME = 'nothing-forbidden'

/**
 * No honest node takes what policy forbids. What may be taken without effect has none in the end, and what may not win
 * has not won then: before, a node may not know yet why.
 */
export function nothingForbidden(): Check {
  let seen = 0
  const reported = new Set<string>()

  const look = async (simulation: Simulation, from: number, isEnd = false): Promise<void> => {
    const { forbiddenEvents } = simulation.ledger
    if (forbiddenEvents.size === from) return
    const asked = [...forbiddenEvents].slice(from).filter(([, { what }]) => isEnd || what === 'to-hold')
    const ids = asked.map(([id]) => id)
    for (const node of honestNodes(simulation)) {
      const held = (await holdsEvents(node, ids)).flatMap((holds, at) => (holds ? [asked[at] as Entry] : []))
      const without = held.some(([, { what }]) => what === 'effect') ? await effectsOn(node) : null
      const winning = held.some(([, { what }]) => what === 'to-win') ? await winningOn(node) : null
      for (const [id, { rule, what }] of held) {
        if (reported.has(`${node.name} ${id}`)) continue
        if (what === 'effect' && (await isWithoutEffect(node, id, without))) continue
        if (what === 'to-win' && winning?.has(id) !== true) continue
        reported.add(`${node.name} ${id}`)
        simulation.fail({ check: NAME, node: node.name, detail: `event ${id} ${HOW[what]}: ${rule}` })
      }
    }
  }

  return {
    name: NAME,
    onAccept(simulation, node, id) {
      const forbidden = simulation.ledger.forbiddenEvents.get(id)
      if (!node.isHonest || forbidden?.what !== 'to-hold' || reported.has(`${node.name} ${id}`)) return
      reported.add(`${node.name} ${id}`)
      simulation.fail({ check: NAME, node: node.name, detail: `event ${id} ${HOW['to-hold']}: ${forbidden.rule}` })
    },
    async onSample(simulation) {
      await look(simulation, seen)
      seen = simulation.ledger.forbiddenEvents.size
    },
    onFold: async (simulation) => await look(simulation, 0),
    onEnd: async (simulation) => await look(simulation, 0, true)
  }
}

const HOW: Readonly<Record<Forbidden['what'], string>> = {
  'to-hold': 'is held',
  effect: 'is held with effect',
  'to-win': 'has won'
}

type Entry = readonly [id: string, Forbidden]

/** The events that the node lists as without effect, and how far it has folded. */
interface WithoutEffect {
  readonly cursor: number
  readonly ids: ReadonlySet<string>
}

async function effectsOn(node: SimulatedNode): Promise<WithoutEffect> {
  const { cursor, rows } = await rowsOn(node, projectionNamed('effects'))
  return { cursor, ids: new Set([...rows.values()].map(({ eventId }) => eventId as string)) }
}

/** The events that announced the winners of batches. */
async function winningOn(node: SimulatedNode): Promise<ReadonlySet<string>> {
  const { rows } = await rowsOn(node, projectionNamed('winners'))
  return new Set([...rows.values()].flatMap((row) => (row as WinnerRow).winner?.eventId ?? []))
}

/** An event that is not folded yet has none either. */
async function isWithoutEffect(node: SimulatedNode, id: string, without: WithoutEffect | null): Promise<boolean> {
  if (without === null || without.ids.has(id)) return true
  const place = await new LogReader(node.disk.stored).find(id)
  return place === undefined || place.logSeq > without.cursor
}
