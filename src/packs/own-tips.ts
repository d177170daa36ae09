import type { LastGood } from '../../protocols/event/v1/anchor-pack.ts'
import { LAST_GOOD_MAX } from '../../protocols/event/v1/anchor-pack.ts'
import { chainIdOf } from '../events/chain.ts'
import type { EventLog } from '../log/event-log.ts'
import { parseRecord } from '../log/log-reader.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { PolicyView } from '../policy/policy-view.ts'

/** Where an organisation's events are looked for. */
export interface TipPorts {
  readonly log: EventLog
  readonly policy: () => PolicyView
}

/** The last events of each chain that this organisation's signers have under `kid`, as far as they are held here. */
export async function ownTips({ log, policy }: TipPorts, kid: string): Promise<readonly LastGood[]> {
  const view = policy()
  const signers = view.policy.peers.filter(({ orgId }) => orgId === view.self.orgId).map(({ did }) => did)
  const namespaces = new Set([TRUST_NAMESPACE])
  for await (const namespace of log.namespaces()) namespaces.add(namespace)
  const tips: LastGood[] = []
  for (const namespace of [...namespaces].sort()) {
    for (const signer of signers) {
      for await (const { id, authorSeq } of log.tips(namespace, chainIdOf({ signer, kid, namespace }))) {
        tips.push({ signer, kid, namespace, authorSeq, id })
      }
    }
  }
  return tips
}

/** The same for a pack, which takes only so many. Throws `LAST_GOOD_REQUIRED` where there are more. */
export async function ownTipsForPack(ports: TipPorts, kid: string): Promise<readonly LastGood[]> {
  const tips = await ownTips(ports, kid)
  if (tips.length <= LAST_GOOD_MAX) return tips
  throw new AnchormeshError(
    'LAST_GOOD_REQUIRED',
    `${kid} has ${tips.length} last events, and a pack takes ${LAST_GOOD_MAX}`,
    {
      hint: 'Revoke it with those that count: anchormesh keys revoke KID --reason R --last-good EVENTID',
      detail: { kid }
    }
  )
}

/** These events of the key. Throws `LAST_GOOD_UNKNOWN` for one that is not held, or is not this organisation's under this key. */
export async function lastGoodOf(
  { log, policy }: TipPorts,
  kid: string,
  ids: readonly string[]
): Promise<readonly LastGood[]> {
  const view = policy()
  const found: LastGood[] = []
  for (const id of new Set(ids)) {
    const position = await log.find(id)
    const record = position === undefined ? undefined : await log.read(position.logSeq)
    const logged = record === undefined ? undefined : parseRecord(record)
    const envelope = logged?.scope === 'shared' ? logged.event.envelope : undefined
    if (envelope?.kid !== kid || view.orgOf(envelope.signer) !== view.self.orgId) {
      throw new AnchormeshError('LAST_GOOD_UNKNOWN', `this node holds no event ${id} under the key ${kid}`, {
        hint: 'anchormesh events --signer DID shows the events that it holds.',
        detail: { kid, id }
      })
    }
    const { signer, namespace, authorSeq } = envelope
    found.push({ signer, kid, namespace, authorSeq, id })
  }
  return found
}
