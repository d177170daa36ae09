import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import { canonicalEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { ANNOUNCE_TYPE } from '../../src/events/claim.ts'
import type { Simulation, SimulatedNode } from '../model/simulation.ts'
import type { Workload } from '../scenario/schema.ts'

type History = Extract<Workload, { kind: 'history' }>

/** Events, oldest first, and the id of the last. */
export interface MadeHistory {
  readonly wires: readonly Uint8Array[]
  readonly lastId: string
}

// As if one had been announced each second.
const APART_MS = 1_000

/**
 * Puts the events of the scenario's histories on the nodes that are to hold them, by their door, while nobody reaches
 * anybody. It starts those nodes and ends them in order; afterwards all nodes are off, as before.
 */
export async function loadHistories(simulation: Simulation): Promise<void> {
  const { scenario, net } = simulation
  const histories = scenario.workload.flatMap((load, index) => (load.kind === 'history' ? [{ load, index }] : []))
  if (histories.length === 0) return
  const connect = net.cut(() => true)
  for (const { load, index } of histories) await loadHistory(simulation, load, `workload-${index}`)
  connect()
}

async function loadHistory(simulation: Simulation, load: History, name: string): Promise<void> {
  const nodes = simulation.select(load.on, `${name}.on`)
  const [first] = nodes
  if (first === undefined) return
  const namespace = load.namespace ?? simulation.scenario.namespaces[0] ?? ''
  const nowMs = Math.floor(simulation.time.nowUs / 1_000)
  const made = await makeHistory(first, { namespace, events: load.events, nowMs })
  for (const node of nodes) {
    await node.boot()
    const taken = await node.ask((running) => running.importEvents(allOf(made.wires)))
    if (taken.accepted < load.events)
      throw new Error(`${node.name} took ${taken.accepted} of ${load.events} events: ${JSON.stringify(taken.refused)}`)
    // Whoever holds the last one holds all before it.
    if (node.isHonest) simulation.ledger.acknowledged(node, made.lastId, namespace)
    await node.stop()
  }
}

interface HistoryOptions {
  readonly namespace: string
  readonly events: number
  /** The last event is from just before this time: milliseconds since 1970. */
  readonly nowMs: number
}

/** Announces of one node, that of the signer, each the next of its chain. */
export async function makeHistory(
  { signer, orgId }: Pick<SimulatedNode, 'signer' | 'orgId'>,
  { namespace, events, nowMs }: HistoryOptions
): Promise<MadeHistory> {
  const wires: Uint8Array[] = []
  let prev: string | null = null
  for (let authorSeq = 1; authorSeq <= events; authorSeq += 1) {
    const batchId = `history-${authorSeq}`
    const envelope: Envelope = {
      v: 1,
      type: ANNOUNCE_TYPE,
      namespace,
      signer: signer.did,
      kid: signer.kid,
      authorSeq,
      prev,
      ts: nowMs - (events - authorSeq + 1) * APART_MS,
      body: {
        owner: orgId,
        batchId,
        batchRoot: toHex(sha256(utf8(batchId))),
        receiptCount: 1,
        timestampAnchors: []
      }
    }
    const canonical = canonicalEvent(envelope)
    const signature = await signer.sign(eventSigningInput(ANNOUNCE_TYPE, signer.kid, canonical))
    wires.push(encodeEvent(envelope, [{ kid: signer.kid, signature }]))
    prev = eventId(canonical)
  }
  return { wires, lastId: prev ?? '' }
}

async function* allOf(wires: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* wires
}
