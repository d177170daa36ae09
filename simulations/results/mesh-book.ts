import type { JsonObject, JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import type { Failure, SimulatedNode, Simulation, TraceKind } from '../model/simulation.ts'
import { FaultSpans } from './fault-spans.ts'
import { countOf, textOf } from './fields.ts'
import { Holdings } from './holdings.ts'
import { NODE_STATES, emptyNodeSamples } from './node-samples.ts'
import type { NodeSamples } from './node-samples.ts'
import { SharedSets, unreachableFrom } from './reach.ts'
import type { MeshSample, RecordedEvent, RunAbout, RunRecord } from './run-record.ts'
import { meshTraffic, sumOf } from './traffic.ts'
import { WinnerBook } from './winner-book.ts'

// What faults take away changes with them, not with each event. Of a thousand nodes so many sets are at most 7 MB.
const APART_SETS_MAX = 256

type Mutable<Shape> = { -readonly [Name in keyof Shape]: Shape[Name] }

/** What is known of a mesh from its trace and its samples. */
export class MeshBook {
  readonly #simulation: Simulation
  readonly #numbers: ReadonlyMap<string, number>
  readonly #holdings: Holdings
  readonly #winners: WinnerBook
  readonly #faults: FaultSpans
  /** Of each node its peers; a pair stands at both ends. */
  readonly #peers: readonly Set<number>[]
  readonly #isOnline: boolean[]
  readonly #events: Mutable<RecordedEvent>[] = []
  readonly #apart = new SharedSets(APART_SETS_MAX)
  readonly #samples: MeshSample[] = []
  readonly #nodeSamples: NodeSamples
  readonly #syncs: { sessions: number; rounds: number }[]
  #eventsBrought = 0
  readonly #failures: (Failure & { readonly atUs: number })[] = []
  #connections: (readonly [number, number])[] | null = null
  #startedUs: number | null = null
  #convergedUs: number | null = null
  #eventsConvergedUs: number | null = null

  constructor(simulation: Simulation) {
    const { nodes } = simulation
    this.#simulation = simulation
    // Peers are told by their PeerIds, too.
    this.#numbers = new Map(
      nodes.flatMap(({ name, peerId }, number) => [
        [name, number],
        [peerId, number]
      ])
    )
    this.#holdings = new Holdings(nodes.length)
    this.#winners = new WinnerBook(nodes.length)
    this.#faults = new FaultSpans((name) => this.#numberOf(name))
    this.#peers = nodes.map(() => new Set())
    this.#isOnline = nodes.map(() => false)
    this.#syncs = nodes.map(() => ({ sessions: 0, rounds: 0 }))
    this.#nodeSamples = emptyNodeSamples()
  }

  note(atUs: number, kind: TraceKind, name: string | null, fields: JsonObject): void {
    this.#noteWhole(atUs, this.#healedUs())
    if (name === null) this.#noteMesh(atUs, kind, fields)
    else this.#noteNode(atUs, kind, this.#numberOf(name), fields)
    if (kind === 'fail') {
      const { check, detail } = fields
      const failure = { check: textOf(check), detail: textOf(detail), atUs }
      this.#failures.push(name === null ? failure : { ...failure, node: name })
    }
    this.#noteWhole(atUs, atUs)
  }

  /** `null`: this moment has been looked at. */
  sample(atUs: number): MeshSample | null {
    if (this.#samples.at(-1)?.atUs === atUs) return null
    this.#noteWhole(atUs, this.#healedUs())
    for (const number of this.#simulation.nodes.keys()) this.#count(number)
    this.#noteWhole(atUs, atUs)
    const traffic = meshTraffic(this.#simulation.nodes)
    const { decided, agreed, disputed } = this.#winners.count()
    const sample = {
      atUs,
      online: this.#holdings.counting,
      whole: this.#holdings.countWhole(),
      events: this.#holdings.union,
      batchesDecided: decided,
      batchesAgreed: agreed,
      batchesDisputed: disputed,
      winnerChanges: this.#winners.changes,
      traffic
    }
    this.#samples.push(sample)
    for (const [number, node] of this.#simulation.nodes.entries()) this.#sampleNode(number, node)
    return sample
  }

  finish(endedUs: number, about: RunAbout): RunRecord {
    const { nodes, scenario } = this.#simulation
    const gossip = { received: 0, duplicates: 0, delivered: 0 }
    for (const node of nodes.filter(({ isHonest }) => isHonest)) {
      gossip.received += node.gossip.received
      gossip.duplicates += node.gossip.duplicates
      gossip.delivered += node.gossip.delivered
    }
    const sum = (name: 'sessions' | 'rounds'): number => this.#syncs.reduce((total, sync) => total + sync[name], 0)
    return {
      about,
      scenario,
      startedUs: this.#startedUs ?? endedUs,
      healedUs: this.#healedUs() ?? endedUs,
      endedUs,
      convergedUs: this.#convergedUs,
      eventsConvergedUs: this.#eventsConvergedUs,
      nodes: nodes.map(({ name, orgId, isHonest }, number) => ({
        name,
        orgId,
        isHonest,
        isOnAtEnd: this.#isOnline[number] === true
      })),
      connections: this.#connections ?? this.#connected(),
      faults: this.#faults.all,
      events: this.#events,
      accepts: this.#holdings.accepts,
      samples: this.#samples,
      nodeSamples: this.#nodeSamples,
      traffic: new Map(meshTraffic(nodes)),
      gossip,
      sync: { sessions: sum('sessions'), rounds: sum('rounds'), eventsBrought: this.#eventsBrought },
      failures: this.#failures
    }
  }

  #noteMesh(atUs: number, kind: TraceKind, fields: JsonObject): void {
    if (kind === 'started') this.#startedUs = atUs
    else if (kind === 'converged') this.#convergedUs ??= atUs
    else if (kind === 'fault') {
      if (fields['fault'] === 'partition') this.#connections ??= this.#connected()
      this.#faults.begin(atUs, fields)
    } else if (kind === 'heal') this.#faults.end(atUs, fields)
  }

  #noteNode(atUs: number, kind: TraceKind, node: number, fields: JsonObject): void {
    if (kind === 'accept') this.#holdings.accept(this.#eventOf(fields['id'], node, atUs), node, atUs)
    else if (kind === 'publish') {
      const event = this.#events[this.#eventOf(fields['id'], node, atUs)]
      if (event !== undefined) event.publishedUs ??= atUs
    } else if (kind === 'winner') this.#winners.note(node, ...winnerIn(fields))
    else if (kind === 'connect') this.#connect(node, this.#numberOf(fields['peer']))
    else if (kind === 'disconnect') this.#disconnect(node, this.#numberOf(fields['peer']))
    else if (kind === 'sync') this.#noteSync(node, fields)
    else if (kind === 'boot') this.#setOnline(node, true)
    else if (kind === 'stop' || kind === 'crash') this.#setOnline(node, false)
    else if (kind === 'lose-disk') {
      this.#holdings.lose(node)
      this.#winners.lose(node)
    }
  }

  #setOnline(node: number, isOnline: boolean): void {
    this.#isOnline[node] = isOnline
    this.#count(node)
    if (isOnline) return
    for (const peer of this.#peers[node] ?? []) this.#disconnect(peer, node)
    this.#peers[node]?.clear()
  }

  /** A node counts while it is on, and for as long as it plays by the rules. */
  #count(node: number): void {
    const counts = this.#isOnline[node] === true && this.#simulation.nodes[node]?.isHonest === true
    this.#holdings.setCounts(node, counts)
    this.#winners.setCounts(node, counts)
  }

  #connect(node: number, peer: number): void {
    this.#peers[node]?.add(peer)
  }

  #disconnect(node: number, peer: number): void {
    this.#peers[node]?.delete(peer)
  }

  /** A session is counted where it was opened, and its events where they came to. */
  #noteSync(node: number, fields: JsonObject): void {
    this.#eventsBrought += countOf(fields['received'])
    const sync = this.#syncs[node]
    if (sync === undefined || fields['role'] !== 'initiator') return
    sync.sessions += 1
    sync.rounds += countOf(fields['rounds'])
  }

  #eventOf(field: JsonValue | undefined, origin: number, atUs: number): number {
    const id = textOf(field)
    const { event, isNew } = this.#holdings.numberOf(id)
    if (isNew) this.#events.push({ id, publishedUs: null, firstUs: atUs, origin, apart: this.#apartFrom(origin) })
    return event
  }

  /** `null` before the start: a history may have a hundred thousand events, and does not spread. */
  #apartFrom(origin: number): ReadonlySet<number> | null {
    if (this.#startedUs === null) return null
    const full = this.#faults.nodesNow('disk-full')
    return this.#apart.share(unreachableFrom(origin, this.#simulation, this.#peers, full))
  }

  /** Asked before and after all that changes it: what is whole before the first such thing after the heal was so by then. */
  #noteWhole(atUs: number, sinceUs: number | null): void {
    const healedUs = this.#healedUs()
    if (this.#eventsConvergedUs !== null || healedUs === null || atUs < healedUs || !this.#holdings.isWhole) return
    this.#eventsConvergedUs = sinceUs
  }

  #connected(): (readonly [number, number])[] {
    return this.#peers.flatMap((peers, node) =>
      [...peers]
        .filter((peer) => node < peer || this.#peers[peer]?.has(node) !== true)
        .map((peer) => [Math.min(node, peer), Math.max(node, peer)] as const)
    )
  }

  #healedUs(): number | null {
    return this.#startedUs === null ? null : this.#startedUs + this.#simulation.scenario.faultsEnd
  }

  #numberOf(field: JsonValue | undefined): number {
    const name = textOf(field)
    const number = this.#numbers.get(name)
    if (number === undefined) throw new Error(`the trace names a node ${name} that is not there`)
    return number
  }

  #sampleNode(number: number, node: SimulatedNode): void {
    const traffic = sumOf([...node.traffic.values()])
    const to = this.#nodeSamples
    to.state.push(NODE_STATES.indexOf(node.state))
    to.connections.push(this.#peers[number]?.size ?? 0)
    to.eventsHeld.push(this.#holdings.heldBy(number))
    to.winners.push(this.#winners.knownTo(number))
    to.bytesSent.push(traffic.sentBytes)
    to.bytesReceived.push(traffic.receivedBytes)
    to.messagesSent.push(traffic.sentMessages)
    to.messagesReceived.push(traffic.receivedMessages)
    to.gossipReceived.push(node.gossip.received)
    to.gossipDuplicates.push(node.gossip.duplicates)
    to.gossipDelivered.push(node.gossip.delivered)
    to.syncSessions.push(this.#syncs[number]?.sessions ?? 0)
    to.syncRounds.push(this.#syncs[number]?.rounds ?? 0)
  }
}

/** The batch that a record `winner` speaks of, and its winner. */
function winnerIn(fields: JsonObject): [batch: string, winner: string | null] {
  const { namespace, owner, batchId, batchRoot, chainId, evidenceId } = fields
  const winner = batchRoot === null ? null : JSON.stringify([batchRoot, chainId, evidenceId])
  return [JSON.stringify([namespace, owner, batchId]), winner]
}
