import type { LoggedRecord } from '../log/log-reader.ts'
import type { EventLog } from '../log/event-log.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { isPack } from '../projections/packs.ts'
import type { KeyBinding } from '../projections/trust-anchors.ts'
import { BOUND_KEYS_PREFIX } from '../projections/trust-anchors.ts'
import type { Keyring } from '../trust/keyring.ts'
import type { IngestDoor } from './door.ts'

/** Takes into the keyring what the fold of packs and policies bound. Returns whether anything was new. */
export async function loadBoundKeys(engine: ProjectionEngine, keyring: Keyring): Promise<boolean> {
  let added = false
  for await (const [, fact] of engine.instance('trust-anchors').factsWithPrefix(BOUND_KEYS_PREFIX)) {
    const { holder, kid, publicKey } = fact as KeyBinding
    if (keyring.bind(holder, kid, publicKey)) added = true
  }
  return added
}

/**
 * Keeps the keyring up with the log: after each pack or policy the bound keys are read again, and what waited for one of them is
 * looked at once more. Returns the way to stop it.
 */
export function followBoundKeys(ports: { log: EventLog; engine: ProjectionEngine; keyring: Keyring; door: IngestDoor; logger: Logger }): () => void {
  let due = 0
  const look = async (): Promise<void> => {
    const { state, halted } = ports.engine.instance('trust-anchors')
    if (due === 0 || (halted === null && state.cursor < due)) return
    const upTo = due
    due = 0
    try {
      if (await loadBoundKeys(ports.engine, ports.keyring)) await ports.door.keysBound()
    } catch (error) {
      // Looked at again when projections move on.
      due = Math.max(due, upTo)
      throw error
    }
  }
  const lookLater = (): void => {
    look().catch((error: unknown) => ports.logger.error({ reason: messageOf(error) }, 'the keyring could not be brought up to date'))
  }
  const stopLog = ports.log.onAppended((records) => {
    const binding = records.findLast(bindsKeys)
    if (binding !== undefined) due = binding.record.logSeq
  })
  const stopEngine = ports.engine.onAdvanced(lookLater)
  return () => {
    stopLog()
    stopEngine()
  }
}

function bindsKeys(record: LoggedRecord): boolean {
  return isPack(record) || (record.scope === 'local' && record.event.type === 'policy')
}
