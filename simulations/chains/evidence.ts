import { fromBase64url, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import type { RailName } from '../../src/anchoring/anchorer.ts'
import type { ScriptedBlock, ScriptedTransaction } from './scripted-chain.ts'

const RAILS: Readonly<Record<string, RailName>> = { btc: 'btc', eip155: 'evm', rfc3161: 'tsa' }

/** Throws for what is no chain. */
export function railOf(chainId: string): RailName {
  const rail = RAILS[chainId.slice(0, chainId.indexOf(':'))]
  if (rail === undefined) throw new RangeError(`${chainId} is on no rail`)
  return rail
}

/** The transaction with which a node has a root stamped. */
export function transactionOf(chainId: string, node: string, batchRoot: string): ScriptedTransaction {
  return { id: sha256Hex(utf8(`${chainId} ${node} ${batchRoot}`)), batchRoot }
}

/** What shows that the block holds the transaction, in the form of its rail. */
export function evidenceOf(
  chainId: string,
  { id, batchRoot }: ScriptedTransaction,
  { height, hash }: ScriptedBlock
): TimestampAnchor {
  if (railOf(chainId) === 'evm') return { chainId, txHash: id, blockNumber: height, carriedIn: 'calldata' }
  const rawTx = toBase64url(utf8(`${id} ${batchRoot}`))
  return { chainId, txid: id, blockHash: hash, blockHeight: height, rawTx, txIndex: 0, merkleBranch: [] }
}

/** What an authority says of a root: nobody but it knows the serial number. */
export function tokenOf(chainId: string, batchRoot: string, genTimeMs: number, serial: string): TimestampAnchor {
  return { chainId, token: toBase64url(utf8(`${batchRoot} ${genTimeMs} ${serial}`)) }
}

/** What stands in a token; `null` where it is none. */
export function readToken(token: string): { readonly batchRoot: string; readonly genTimeMs: number } | null {
  const text = Buffer.from(fromBase64url(token) ?? []).toString('utf8')
  const [, batchRoot = '', genTime = ''] = /^([0-9a-f]{64}) (\d{1,15}) [0-9a-f]+$/.exec(text) ?? []
  return batchRoot === '' ? null : { batchRoot, genTimeMs: Number(genTime) }
}
