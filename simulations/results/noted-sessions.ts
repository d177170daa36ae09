import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Logger } from '../../src/platform/logger.ts'

/** A session of range-sync that has ended, as a record `sync` has it; `peer` is a PeerId still. */
export type NotedSession = JsonObject & { readonly peer: string }

/** A logger that notes the sessions of range-sync which a node logs, at whatever level it does; nothing is written. */
export function sessionLogger(note: (session: NotedSession) => void): Logger {
  const log = (fields: Readonly<Record<string, unknown>>): void => {
    const session = sessionIn(fields)
    if (session !== null) note(session)
  }
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger }
  return logger
}

/** `null`: the line is about something else. */
function sessionIn({
  peerId,
  namespace,
  role,
  end,
  rounds,
  sent,
  received
}: Readonly<Record<string, unknown>>): NotedSession | null {
  if (typeof peerId !== 'string' || typeof namespace !== 'string' || typeof role !== 'string') return null
  if (typeof end !== 'string' || typeof rounds !== 'number' || typeof sent !== 'number') return null
  const news: unknown =
    typeof received === 'object' && received !== null ? Reflect.get(received, 'accepted') : undefined
  return typeof news === 'number' ? { peer: peerId, namespace, role, end, rounds, sent, received: news } : null
}
