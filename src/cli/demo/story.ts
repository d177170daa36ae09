import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogVerification, Published, PublishedPack, SealedBatch } from '../../operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { WinnerRow } from '../../projections/winners.ts'
import { figure, shortHash, table } from '../table.ts'
import { everyNode, everyNodeHas, meshed } from './cast.ts'
import type { Cast } from './cast.ts'
import type { DemoNode } from './demo-node.ts'
import { BITCOIN_CHAIN, BITCOIN_DEPTH, TSA_NAME } from './rails.ts'
import type { DemoReceipts } from './receipts.ts'
import { stampRoot } from './stamping.ts'

const BATCH = 'build-1'

/** The maker seals its receipts into a batch. */
export async function sealReceipts(cast: Cast, receipts: DemoReceipts): Promise<SealedBatch> {
  const { maker, narrator, namespace } = cast
  await narrator.step('maker seals receipts into a batch')
  await narrator.say(`The receipts: ${receipts.about}.`)
  await narrator.command(`anchormesh seal --namespace ${namespace} --batch ${BATCH} receipts.jsonl`)
  const sealed = await seal(maker, BATCH, receipts.file, cast)
  await narrator.reached(`${figure(sealed.receiptCount)} receipts under the root ${shortHash(sealed.batchRoot)}…`)
  return sealed
}

/** The maker announces the batch with evidence of up to three rails; all nodes verify each, and agree on the winner. */
export async function timestampAndAnnounce(cast: Cast, sealed: SealedBatch): Promise<void> {
  const { narrator, namespace, rails } = cast
  const { batchId, batchRoot, receiptCount } = sealed
  await narrator.step('The root is timestamped on several rails, and every node checks each piece of evidence itself')
  await narrator.say(
    `authority  ${rails.tsa.url}, rfc3161:${TSA_NAME}: a root certificate is all that nodes know of it`
  )
  await narrator.say(
    rails.evm === null
      ? 'EVM chain  none: anvil is not installed (npm install --save-dev @foundry-rs/anvil)'
      : `EVM chain  ${rails.evm.url}, ${rails.evm.chainId} (anvil)`
  )
  await anchorBatch(cast, batchId, 'tsa', `rfc3161:${TSA_NAME}`)
  if (rails.evm !== null) await anchorBatch(cast, batchId, 'evm', rails.evm.chainId)
  if (rails.bitcoin !== null) {
    await narrator.say(`Bitcoin    ${BITCOIN_CHAIN} (bitcoind): later than the others, but stronger`)
    await anchorBatch(cast, batchId, 'btc', BITCOIN_CHAIN, () => rails.bitcoin?.mine(BITCOIN_DEPTH + 1))
  }
  await everyNodeHas(cast, 'batches', { namespace, batchId }, { batchRoot, receiptCount })
  await narrator.reached('all three verified each by themselves, and have the same winner')
}

/** Has evidence made on one rail, and waits until it is verified everywhere, and wins. */
async function anchorBatch(
  cast: Cast,
  batchId: string,
  rail: 'tsa' | 'btc' | 'evm',
  chainId: string,
  confirm: () => Promise<void> | undefined = () => undefined
): Promise<void> {
  const { maker, narrator, namespace } = cast
  await narrator.command(`anchormesh anchor --namespace ${namespace} --batch ${batchId} --rail ${rail}`)
  const begun = await (await maker.operations()).anchor({ namespace, batchId, rail })
  await narrator.say(`${chainId}: ${begun.state}${begun.detail === null ? '' : `, ${begun.detail}`}`)
  await confirm()
  await everyNode(cast, `has a winner on ${chainId}`, 'winners', { namespace, batchId }, (row) => {
    const { winner } = row as WinnerRow
    return winner?.chainId === chainId
  })
  await showWinner(cast, batchId)
}

/** The winner and the losers of a batch, as the first node has them; digests say whether the others do. */
async function showWinner({ maker, narrator, namespace }: Cast, batchId: string): Promise<void> {
  const [row] = (await maker.query('winners', { namespace, batchId })).rows as readonly WinnerRow[]
  if (row === undefined || row.winner === null) return
  const ranked = [{ ...row.winner, rule: null }, ...row.losers]
  const shown = table(
    [
      { heading: 'TIMESTAMP ANCHOR', cell: ({ chainId }) => chainId },
      { heading: 'PROVEN', cell: ({ provenTime }) => new Date(provenTime).toISOString() },
      { heading: '', cell: ({ rule }) => (rule === null ? `wins (${row.status})` : `loses by ${rule}`) }
    ],
    ranked
  )
  await narrator.say(shown)
}

/** The auditor publishes its keys; all three log and project them. */
export async function publishPack(cast: Cast): Promise<void> {
  const { auditor, narrator } = cast
  await narrator.step('auditor publishes an anchor pack: its keys, signed and numbered')
  await narrator.command('anchormesh pack publish')
  const { orgId, packSeq, packHash } = await auditor.run<PublishedPack>(['pack', 'publish'])
  await narrator.say(`pack ${packSeq} of ${orgId}, hash ${shortHash(packHash)}…`)
  await everyNodeHas(cast, 'trust-anchors', {}, { orgId, packSeq, status: 'ACTIVE' })
  await narrator.reached('all three have its keys in the projection trust-anchors')
}

/** The archive loses its process without warning, and comes back with its log as it was. */
export async function killAndRestart({ archive, narrator }: Cast): Promise<void> {
  await narrator.step('archive is killed (SIGKILL), its log is checked, and it is started again')
  const before = (await archive.status()).log
  const { pid } = archive
  await archive.kill()
  const had = `${before.logSeq} records, head ${shortHash(before.headHash)}…`
  await narrator.say(`process ${pid} is gone; its log had ${had}`)
  await narrator.command('anchormesh log verify')
  const verified = await archive.run<LogVerification>(['log', 'verify'])
  const intact = `${verified.records} records, hash chain and indexes intact`
  await narrator.say(`${intact}, head ${shortHash(verified.headHash)}…`)
  const ready = await archive.start()
  const { log } = await archive.status()
  const lost = verified.records < before.logSeq || log.logSeq < before.logSeq
  const changed = log.logSeq === before.logSeq && log.headHash !== before.headHash
  if (lost || changed) {
    const message = `archive had ${before.logSeq} records before it was killed, and ${log.logSeq} other ones now`
    throw new AnchormeshError('STORE_CORRUPT', message, {
      hint: 'This must never happen: please report it. --keep leaves the data folders.'
    })
  }
  const head = shortHash(log.headHash)
  await narrator.reached(`process ${archive.pid} serves ${ready.http} with ${log.logSeq} records, head ${head}…`)
}

/** The restarted node takes part again: it hears of a further time-stamp, and announces a batch of its own. */
export async function takePartAgain(cast: Cast, { batchId, batchRoot }: SealedBatch): Promise<void> {
  const { maker, archive, narrator, namespace, folder, rails, context } = cast
  await narrator.step('archive takes part again: it hears the others, and the others hear it')
  await meshed(cast)
  await narrator.say('the mesh is whole again')
  const file = join(folder, 'archive.jsonl')
  await writeFile(file, `${JSON.stringify({ restarted: archive.name, pid: archive.pid })}\n`)
  const own = await seal(archive, 'restart-1', file, cast)
  const second = await stampRoot(batchRoot, rails.tsa, folder, context)
  await Promise.all([announce(archive, own.batchId, [], cast), announce(maker, batchId, [second.file], cast)])
  await everyNodeHas(cast, 'batches', { namespace, batchId: own.batchId }, { batchRoot: own.batchRoot })
  await everyNodeHas(cast, 'timestamp-anchors', { namespace, batchId }, { evidenceId: second.evidenceId })
  await narrator.reached('all three have maker’s second time-stamp and archive’s own batch')
}

async function seal(node: DemoNode, batch: string, file: string, { namespace }: Cast): Promise<SealedBatch> {
  return await node.run<SealedBatch>(['seal', '--namespace', namespace, '--batch', batch, file])
}

async function announce(
  node: DemoNode,
  batch: string,
  anchorFiles: readonly string[],
  { namespace }: Cast
): Promise<Published> {
  const files = anchorFiles.flatMap((file) => ['--timestamp-anchor', file])
  return await node.run<Published>(['announce', '--namespace', namespace, '--batch', batch, ...files])
}
