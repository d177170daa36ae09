import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type { Anchorer } from '../../src/anchoring/anchorer.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import { projectionNamed, rowsOn } from '../checks/held.ts'
import type { Actor, Driver } from './actor.ts'
import { tellOf } from './false-log.ts'
import type { ForgedEvent } from './forged-events.ts'
import { envelopeAfter, forge } from './forged-events.ts'

type OnChain = Exclude<TimestampAnchor, { token: unknown }>

/** A root, and a block that holds it. */
interface Stamped {
  readonly batchRoot: string
  readonly timestampAnchor: OnChain
}

const YEAR_MS = 365 * 24 * 60 * 60_000

/**
 * The late-publish attack by a member that is careful: everything that it signs has to be admitted, and its evidence is
 * true and old. Half of it goes by gossip alone, half by range-sync alone, so that either way has to bring it to all.
 */
export const keepBack: Driver = (actor) => {
  const { simulation, namespace, nowMs, perform } = actor
  const evidence = new KeptBackEvidence(actor)
  let told = 0
  let unheard: ForgedEvent | null = null
  return {
    act: async () =>
      await perform(async (mesh) => {
        await evidence.stamp()
        unheard ??= await evidence.nextEvent(nowMs() - YEAR_MS)
        if (unheard === null) return
        const peers =
          told % 2 === 0
            ? await mesh.publish(namespace, unheard.wire)
            : await tellOf(unheard, actor, mesh, mesh.connected())
        // All of them may be busy with others.
        if (peers === 0) return
        simulation.ledger.forbidden(unheard.id, 'its evidence was kept back, and is older than the winner', 'to-win')
        unheard = null
        told += 1
      })
  }
}

/**
 * A root of a node's own that stands in a block nobody was told of, and is announced for batches whose winners were found
 * out long after. On chains alone: an authority's older word is the stronger one, by the rules.
 */
class KeptBackEvidence {
  readonly #actor: Actor
  readonly #anchorers: readonly Anchorer[]
  readonly #batchRoot: string
  readonly #stamped = new Map<string, Stamped>()
  readonly #attacked = new Set<string>()

  constructor(actor: Actor) {
    const { chains, seed, scenario } = actor.simulation
    // What a reorganisation takes back has no winner any more, and the attack would be none.
    const rewritten = new Set(scenario.faults.map((fault) => (fault.kind === 'reorganise' ? fault.chain : null)))
    this.#actor = actor
    this.#anchorers = chains
      .anchorersOf(actor.node.name)
      .filter(({ rail, chainId }) => rail !== 'tsa' && !rewritten.has(chainId))
    this.#batchRoot = sha256Hex(utf8(`kept back by ${actor.node.name} ${seed}`))
  }

  /** Goes on with having the root stamped, until a block of each chain holds it. */
  async stamp(): Promise<void> {
    for (const anchorer of this.#anchorers) {
      if (this.#stamped.has(anchorer.chainId)) continue
      const step = await anchorer.advance(this.#batchRoot, {}, this.#actor.patience())
      if (step.state !== 'complete' || 'token' in step.timestampAnchor) continue
      this.#stamped.set(anchorer.chainId, { batchRoot: this.#batchRoot, timestampAnchor: step.timestampAnchor })
    }
  }

  /** Announces it for a batch that has won with something younger, one not attacked yet; `null` where there is none. */
  async nextEvent(ts: number): Promise<ForgedEvent | null> {
    const { simulation, node, namespace } = this.#actor
    const wanted = simulation.scenario.quorum === undefined ? 'verified' : 'settled'
    const { rows } = await rowsOn(node, projectionNamed('winners'))
    for (const [key, found] of rows) {
      const { status, winner, owner, batchId } = found as WinnerRow
      const stamped = this.#stamped.get(winner?.chainId ?? '')
      if (stamped === undefined || winner === null || status !== wanted || this.#attacked.has(key)) continue
      if (winner.position <= heightOf(stamped.timestampAnchor)) continue
      this.#attacked.add(key)
      const { batchRoot, timestampAnchor } = stamped
      const body = { owner, batchId, batchRoot, receiptCount: 1, timestampAnchors: [{ ...timestampAnchor }] }
      return await forge(node.signer, envelopeAfter(node.signer, namespace, null, ts, body))
    }
    return null
  }
}

function heightOf(timestampAnchor: OnChain): number {
  return 'txHash' in timestampAnchor ? timestampAnchor.blockNumber : timestampAnchor.blockHeight
}
