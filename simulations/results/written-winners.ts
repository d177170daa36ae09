import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import { dataPrefix } from '../../src/projections/keys.ts'
import { decodeRow } from '../../src/projections/row-codec.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import { winners } from '../../src/projections/winners.ts'

const WINNERS_PREFIX = dataPrefix(winners.name)
// `g<generation>!r!<key of the row>` follows; facts and the journal stand under other letters.
const ROW = /^g[0-9a-f]+!r!/

/** What a write to a node's store says of winners of batches, as records `winner` have it. */
export function writtenWinners(operations: readonly WriteOperation[]): JsonObject[] {
  return operations.flatMap((operation) => {
    if (operation.type !== 'put' || !operation.key.startsWith(WINNERS_PREFIX)) return []
    const place = operation.key.slice(WINNERS_PREFIX.length)
    const within = ROW.exec(place)?.[0]
    if (within === undefined) return []
    const stored = typeof operation.value === 'string' ? Buffer.from(operation.value) : operation.value
    return [winnerOf(decodeRow(winners.layout, place.slice(within.length), stored) as WinnerRow)]
  })
}

function winnerOf({ namespace, owner, batchId, status, batchRoot, winner }: WinnerRow): JsonObject {
  const won = winner === null ? NONE : { batchRoot, chainId: winner.chainId, evidenceId: winner.evidenceId }
  return { namespace, owner, batchId, status, ...won }
}

const NONE = { batchRoot: null, chainId: null, evidenceId: null }
