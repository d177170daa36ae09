import type { LinkRule } from '../scenario/schema.ts'
import { hostAddress } from './addresses.ts'
import { isNode, readCsv } from './csv.ts'
import type { CsvResult } from './csv.ts'

/** How links are: a rule for each pair of addresses. */
export type LinkRules = (from: string, to: string) => LinkRule

/**
 * Links as a file has them: `from,to,latency_ms` and perhaps `bandwidth_mbps,loss`, by numbers of nodes. What it says of
 * one direction goes for the other too, unless that has a line of its own; all else is as `rule` says.
 */
export function parseLinkMatrix(text: string, rule: LinkRule, nodes: number): CsvResult<LinkRules> {
  const read = readCsv(text, { required: ['from', 'to', 'latency_ms'], optional: ['bandwidth_mbps', 'loss'] })
  if (!read.ok) return read
  const own = new Map<string, LinkRule>()
  for (const { line, from, to, latency_ms: latencyMs = 0, bandwidth_mbps: mbps, loss } of read.value) {
    const wrong = (problem: string): CsvResult<LinkRules> => ({ ok: false, line, problem })
    if (!isNode(from, nodes) || !isNode(to, nodes)) return wrong(`nodes are numbered from 0 to ${nodes - 1}`)
    if (mbps === 0) return wrong('bandwidth_mbps is 0')
    if (loss !== undefined && loss > 1) return wrong('loss is above 1')
    const name = pairOf(hostAddress(from), hostAddress(to))
    if (own.has(name)) return wrong(`${from},${to} has a line already`)
    own.set(name, {
      ...rule,
      latency: { constantMs: latencyMs },
      ...(mbps === undefined ? {} : { bandwidthMbps: mbps }),
      ...(loss === undefined ? {} : { loss })
    })
  }
  return { ok: true, value: (from, to) => own.get(pairOf(from, to)) ?? own.get(pairOf(to, from)) ?? rule }
}

const pairOf = (from: string, to: string): string => `${from} ${to}`
