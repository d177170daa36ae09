import { equalBytes } from '../../protocols/primitives/bytes.ts'
import { RECORD_PREFIX, parseSortableNumber, recordKey } from '../../src/log/keys.ts'
import { GENESIS_HASH, decodeRecord, recordHash } from '../../src/log/record.ts'
import { prefixRange } from '../../src/log/store.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import type { Check, SimulatedNode, Simulation } from '../model/simulation.ts'
import { honestNodes, storeOn } from './held.ts'

const NAME = 'logs-intact'

/**
 * Up to where the log of a node was walked, in which store, and which process wrote there. Another process, or none, may
 * find less of it after a crash, and a store that came after a lost disk is another log.
 */
interface Walked {
  readonly process: SimulatedNode['node']
  readonly store: string | null
  readonly logSeq: number
  readonly hash: Uint8Array
}

/**
 * At each sample what was added since the last one follows, hash by hash, from what stood there. At each fold the node's
 * own `log verify` finds nothing on any disk, also on those of nodes that are off.
 */
export function logsIntact(): Check {
  const walked = new Map<SimulatedNode, Walked>()
  const broken = new Set<SimulatedNode>()
  return {
    name: NAME,
    async onSample(simulation) {
      for (const node of honestNodes(simulation)) {
        if (broken.has(node)) continue
        const before = walked.get(node)
        const place = { process: node.node, store: await storeOn(node) }
        const isSame = before?.process === place.process && before.store === place.store
        const { problem, ...to } = await walk(node, isSame ? before : { logSeq: 0, hash: GENESIS_HASH })
        walked.set(node, { ...place, ...to })
        if (problem === null) continue
        broken.add(node)
        simulation.fail({ check: NAME, node: node.name, detail: problem })
      }
    },
    onFold: async (simulation) => await verifyAll(simulation)
  }
}

async function verifyAll(simulation: Simulation): Promise<void> {
  for (const node of honestNodes(simulation)) {
    if ((await storeOn(node)) === null) continue
    const { ok, records, problems, problemCount } = await verifyLog(node.disk.stored, node.disk.checkpoint)
    // A first start that a crash or a full disk cut short leaves a store without records, and without store.json.
    if (ok || (records === 0 && problemCount === 1 && (await node.disk.checkpoint.read()) === null)) continue
    const { logSeq = null, problem = '' } = problems[0] ?? {}
    const place = logSeq === null ? '' : `record ${logSeq}: `
    simulation.fail({ check: NAME, node: node.name, detail: `${problemCount} problems; ${place}${problem}` })
  }
}

/** From a record that was right, which must be there still, to the end of the log. */
async function walk(
  { disk: { stored } }: SimulatedNode,
  from: Pick<Walked, 'logSeq' | 'hash'>
): Promise<{ readonly logSeq: number; readonly hash: Uint8Array; readonly problem: string | null }> {
  let { logSeq, hash } = from
  const wrong = (at: number, what: string): Awaited<ReturnType<typeof walk>> => ({
    logSeq,
    hash,
    problem: `record ${at}: ${what}`
  })
  const { lt } = prefixRange(RECORD_PREFIX)
  let isFirst = from.logSeq > 0
  for await (const [key, bytes] of stored.range({ gte: recordKey(Math.max(1, from.logSeq)), lt })) {
    const at = parseSortableNumber(key.slice(RECORD_PREFIX.length))
    const record = decodeRecord(at, bytes)
    if (record === null) return wrong(at, 'it is damaged')
    if (isFirst) {
      if (at !== logSeq || !equalBytes(record.hash, hash)) return wrong(logSeq, 'it is not the one that stood there')
      isFirst = false
      continue
    }
    if (at !== logSeq + 1) return wrong(at, `it follows record ${logSeq}`)
    if (!equalBytes(recordHash(hash, record), record.hash))
      return wrong(at, 'its hash does not follow from the record before it and its content')
    logSeq = at
    // The record itself, half a megabyte where it is of a thousand members, is not to be held for it.
    hash = Uint8Array.from(record.hash)
  }
  return isFirst ? wrong(logSeq, 'it is gone') : { logSeq, hash, problem: null }
}
