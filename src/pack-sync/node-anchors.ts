import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { EventLog } from '../log/event-log.ts'
import { parseRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { stateAfter, storedPacks, validPacks } from '../projections/packs.ts'
import type { PackState } from '../trust/pack-chain.ts'
import { rootState } from '../trust/pack-chain.ts'
import type { AnchorStore, StoredAnchors } from './anchors.ts'
import { anchorSetOf } from './anchors.ts'

export interface NodeAnchorPorts {
  readonly engine: ProjectionEngine
  readonly log: EventLog
  readonly policy: () => PolicyView
}

/**
 * The store of a node: of `_trust` the anchors are what the packs in its log come to, whichever way they came, and what
 * is written of them is only a copy.
 */
export function nodeAnchorStore(store: AnchorStore, ports: NodeAnchorPorts): AnchorStore {
  return {
    anchors: async (namespace, orgId) =>
      namespace === TRUST_NAMESPACE ? await anchorsInLog(orgId, ports) : await store.anchors(namespace, orgId),
    state: (namespace, orgId) => store.state(namespace, orgId),
    put: (entry) => store.put(entry)
  }
}

async function anchorsInLog(orgId: string, ports: NodeAnchorPorts): Promise<StoredAnchors> {
  const { root, head, frozen } = await storedPacks(ports.engine, orgId, ports.policy())
  const before = head.packSeq === 1 ? rootState(root) : await stateBefore(orgId, head, ports)
  return {
    namespace: TRUST_NAMESPACE,
    orgId,
    ...anchorSetOf(orgId, head),
    previous: before === null ? null : anchorSetOf(orgId, before),
    forkedAt: frozen ? head.packSeq + 1 : null
  }
}

/** The state that the head's pack continued: its event names the pack before it. */
async function stateBefore(
  orgId: string,
  head: PackState,
  { engine, log }: NodeAnchorPorts
): Promise<PackState | null> {
  if (head.hash === null) return null
  const pack = (await validPacks(engine, orgId)).find(({ hash }) => hash === head.hash)
  const position = pack === undefined ? undefined : await log.find(pack.eventId)
  const record = position === undefined ? undefined : await log.read(position.logSeq)
  const logged = record === undefined ? undefined : parseRecord(record)
  const reading = logged?.scope === 'shared' ? parseAnchorPack(logged.event.envelope.body) : undefined
  const prevPack = reading?.ok === true ? reading.pack.prevPack : null
  return prevPack === null ? null : ((await stateAfter(engine, orgId, prevPack)) ?? null)
}
