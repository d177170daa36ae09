import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { hashOfPrinted } from '../../../protocols/bitcoin-evidence/v1/hashes.ts'
import { branchOf } from '../../../protocols/bitcoin-evidence/v1/merkle-branch.ts'
import { encodeOtsTimestamp } from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsTimestamp } from '../../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsAttestation } from '../../../protocols/bitcoin-evidence/v1/ots-attestation.ts'
import { applyOperation } from '../../../protocols/bitcoin-evidence/v1/ots-operation.ts'
import type { OtsOperation } from '../../../protocols/bitcoin-evidence/v1/ots-operation.ts'
import { parseTransaction } from '../../../protocols/bitcoin-evidence/v1/transaction.ts'
import { fromHex, toHex } from '../../../protocols/primitives/bytes.ts'
import { sha256 } from '../../../protocols/primitives/sha256.ts'
import type { Bitcoind } from '../../support/bitcoind.ts'
import { startLocalServer } from '../../support/local-server.ts'

const SHA256: OtsOperation = { name: 'sha256' }

/** A calendar of OpenTimestamps as small as it can be: it forgets all when it stops. */
export interface Calendar extends AsyncDisposable {
  readonly url: string
  /** The paths of the requests that have come. */
  readonly paths: readonly string[]
  /** Puts the hash over all digests that came since the last time into a transaction, and gives its id. */
  stamp(): Promise<string>
}

/** A message, one operation after the other applied to it, and who vouches for the last result. */
export function timestampOf(
  message: Uint8Array,
  operations: readonly OtsOperation[],
  attestation: OtsAttestation
): OtsTimestamp {
  const [operation, ...rest] = operations
  if (operation === undefined) return { message, branches: [{ attestation }] }
  const result = applyOperation(operation, message)
  if (result === null) throw new Error(`${operation.name} can't be applied`)
  return { message, branches: [{ operation, timestamp: timestampOf(result, rest, attestation) }] }
}

/** What leads from a commitment to its transaction. */
interface Stamped {
  readonly operations: readonly OtsOperation[]
  readonly txid: string
}

/** Starts a calendar whose transactions go through the wallet of the node; `stamp` needs one. */
export async function startCalendar(node: Bitcoind | null): Promise<Calendar> {
  const waiting: Uint8Array[] = []
  const stamped = new Map<string, Stamped>()

  const server = await startLocalServer(async ({ method, url = '' }, body, response) => {
    if (method === 'POST' && url === '/digest' && body.length <= 64) {
      // As the real one does, so that equal digests are told apart and its transactions tell nothing of them.
      const operations: OtsOperation[] = [
        { name: 'append', argument: new Uint8Array(randomBytes(16)) },
        SHA256,
        { name: 'prepend', argument: new Uint8Array(randomBytes(4)) },
        { name: 'append', argument: new Uint8Array(randomBytes(8)) }
      ]
      waiting.push(
        operations.reduce<Uint8Array>((message, operation) => applyOperation(operation, message) ?? message, body)
      )
      send(response, timestampOf(body, operations, { kind: 'pending', uri: server.url }))
      return
    }
    const commitment = /^\/timestamp\/((?:[0-9a-f]{2})+)$/.exec(url)?.[1]
    const found = commitment === undefined ? undefined : stamped.get(commitment)
    const upgraded = found === undefined ? null : await leadingToBlock(node as Bitcoind, found)
    if (commitment !== undefined && upgraded !== null) {
      const { operations, height } = upgraded
      send(response, timestampOf(fromHex(commitment) as Uint8Array, operations, { kind: 'bitcoin', height }))
      return
    }
    response.writeHead(404, { 'content-type': 'text/plain' }).end('Pending confirmation in Bitcoin blockchain')
  })

  return {
    url: server.url,
    paths: server.paths,
    stamp: async () => {
      if (node === null) throw new Error('a calendar without a node')
      const leaves = waiting.splice(0)
      const { root, paths } = aggregate(leaves)
      const { txid, stripped } = await sendRoot(node, root)
      const at = Buffer.from(stripped).indexOf(root)
      const toTransaction: OtsOperation[] = [
        { name: 'prepend', argument: stripped.subarray(0, at) },
        { name: 'append', argument: stripped.subarray(at + root.length) },
        SHA256,
        SHA256
      ]
      for (const [index, leaf] of leaves.entries()) {
        stamped.set(toHex(leaf), { operations: [...(paths[index] ?? []), ...toTransaction], txid })
      }
      return txid
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()
  }
}

/** Answers with what is known about a message. */
export function send(response: ServerResponse, timestamp: OtsTimestamp): void {
  response.writeHead(200, { 'content-type': 'application/vnd.opentimestamps.v1' }).end(encodeOtsTimestamp(timestamp))
}

/** A hash over all, and what leads to it from each; a node without a neighbour goes up as it is. */
function aggregate(messages: readonly Uint8Array[]): {
  readonly root: Uint8Array
  readonly paths: readonly (readonly OtsOperation[])[]
} {
  const paths: OtsOperation[][] = messages.map(() => [SHA256])
  let level = messages.map((message, index) => ({ hash: sha256(message), below: [index] }))
  while (level.length > 1) {
    const above: typeof level = []
    for (let index = 0; index < level.length; index += 2) {
      const [left, right] = [level[index], level[index + 1]]
      if (left === undefined) break
      for (const leaf of right === undefined ? [] : left.below) {
        paths[leaf]?.push({ name: 'append', argument: right?.hash ?? left.hash }, SHA256)
      }
      for (const leaf of right?.below ?? []) paths[leaf]?.push({ name: 'prepend', argument: left.hash }, SHA256)
      above.push(
        right === undefined
          ? left
          : { hash: sha256(Buffer.concat([left.hash, right.hash])), below: [...left.below, ...right.below] }
      )
    }
    level = above
  }
  const root = level[0]?.hash
  if (root === undefined) throw new Error('nothing to stamp')
  return { root, paths }
}

async function sendRoot(
  { wallet }: Pick<Bitcoind, 'wallet'>,
  root: Uint8Array
): Promise<{ readonly txid: string; readonly stripped: Uint8Array }> {
  const raw = await wallet('createrawtransaction', [], [{ data: toHex(root) }])
  const { hex } = (await wallet('fundrawtransaction', raw, { fee_rate: 10 })) as { hex: string }
  const signed = (await wallet('signrawtransactionwithwallet', hex)) as { hex: string }
  const read = parseTransaction(fromHex(signed.hex) as Uint8Array)
  if (!read.ok) throw new Error(read.detail)
  await wallet('sendrawtransaction', signed.hex)
  return read.transaction
}

/** The way on to the Merkle root of the block; null while there is none. */
async function leadingToBlock(
  node: Bitcoind,
  { operations, txid }: Stamped
): Promise<{ readonly operations: readonly OtsOperation[]; readonly height: number } | null> {
  const { blockhash } = (await node.wallet('gettransaction', txid)) as { blockhash?: string }
  if (blockhash === undefined) return null
  const { tx, height } = (await node.rpc('getblock', blockhash, 1)) as { tx: string[]; height: number }
  const index = tx.indexOf(txid)
  const branch = branchOf(
    tx.map((each) => hashOfPrinted(each) as Uint8Array),
    index
  )
  const upward = branch.flatMap((argument, level): OtsOperation[] => [
    { name: Math.floor(index / 2 ** level) % 2 === 1 ? 'prepend' : 'append', argument },
    SHA256,
    SHA256
  ])
  return { operations: [...operations, ...upward], height }
}
