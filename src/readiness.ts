import type { NodeParts } from './node-parts.ts'

// A node that takes events in is always a few behind; a reader who waits for a thousand would wait for a second.
const BEHIND_RECORDS_MAX = 1_000

/**
 * Why a node can't serve apps as it should: it is not started or stops, can't write its log, has a projection that
 * halted or is far behind, or shows a certificate that has ended. Being alone is no reason: its mesh may be away. Looks
 * at memory alone, so that it may be asked every second.
 */
export function readinessReasons(parts: NodeParts, state: 'opening' | 'started' | 'stopping'): readonly string[] {
  const { log, engine, live, ports } = parts
  const reasons: string[] = []
  if (state === 'opening') reasons.push('the node is not started yet')
  if (state === 'stopping') reasons.push('the node is stopping')
  if (log.fault !== null) reasons.push(`the log can't be written: ${log.fault}`)
  for (const { name, state: fold, logSeq, reason } of engine.status()) {
    const behind = log.head.logSeq - logSeq
    if (fold === 'halted') reasons.push(`projection ${name} ${reason ?? 'halted'}`)
    else if (behind > BEHIND_RECORDS_MAX) reasons.push(`projection ${name} is ${behind} records behind the log`)
  }
  const now = ports.clock.now()
  for (const { what, notAfter } of live.config().keys?.certificates ?? [])
    if (what.startsWith('http.tls.cert') && notAfter <= now) reasons.push(`the certificate of ${what} has ended`)
  return reasons
}
