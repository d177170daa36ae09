import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT } from '../../platform/errors.ts'
import { startDevelopmentTsa } from '../../timestamps/clients/development-tsa.ts'
import type { CommandContext } from '../command.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import { duration } from '../table.ts'
import { startBitcoinChain } from './bitcoin-chain.ts'
import type { Cast } from './cast.ts'
import { createChildren } from './children.ts'
import type { Children } from './children.ts'
import { DemoNode } from './demo-node.ts'
import { compareDigests, digestTable } from './digests.ts'
import { findAnvil, startEvmChain } from './evm-chain.ts'
import { cutAndHeal } from './healing.ts'
import { joinMesh } from './joining.ts'
import { createLinks } from './link.ts'
import { createNarrator } from './narrator.ts'
import type { Rails } from './rails.ts'
import { demoReceipts } from './receipts.ts'
import { killAndRestart, publishPack, sealReceipts, timestampAndAnnounce, takePartAgain } from './story.ts'

export interface DemoOptions {
  /** JSON Lines; null for the demo's own. */
  readonly receiptsFile: string | null
  /** Whether the data folders stay. */
  readonly keep: boolean
  /** A Bitcoin Core (or Knots) daemon; null to do without Bitcoin. */
  readonly bitcoind: string | null
}

/** What happens in the demo carries this name. */
const NAMESPACE = 'demo:supply-chain'

/**
 * The main job by three node processes on loopback, told step by step. Answers exit code 0 only when all three nodes
 * agree at the end. Whatever happens, also on a signal, no process stays behind.
 */
export async function runDemo(context: CommandContext, options: DemoOptions): Promise<number> {
  const { output, clock } = context
  const folder = await mkdtemp(join(tmpdir(), 'anchormesh-demo-'))
  const children = createChildren(clock)
  const links = createLinks()
  const closes: (() => Promise<void>)[] = [() => links.close()]
  const story = openRails(options, folder, children, closes, context).then((rails) => {
    const node = (name: string): DemoNode => new DemoNode(name, join(folder, name), children, context)
    const [maker, auditor, archive] = [node('maker'), node('auditor'), node('archive')]
    const narrator = createNarrator(context)
    const nodes = [maker, auditor, archive]
    const cast: Cast = { maker, auditor, archive, nodes, links, rails, namespace: NAMESPACE, folder, narrator, context }
    return tellStory(cast, options)
  })
  try {
    return await untilAborted(story, context.signal)
  } finally {
    await children.stopAll()
    // Without processes the story comes to an end, whichever; only then does nobody write to the folder any more.
    await Promise.allSettled([story])
    await Promise.all(closes.map((close) => close()))
    if (options.keep) output.note(`The data folders are in ${folder}`, { folder })
    else await rm(folder, { recursive: true, force: true })
  }
}

/** Starts what timestamps, and adds to `closes` what ends it. Throws `USAGE` for a bitcoind that does not run. */
async function openRails(
  { bitcoind }: DemoOptions,
  folder: string,
  children: Children,
  closes: (() => Promise<void>)[],
  context: CommandContext
): Promise<Rails> {
  const { clock, random } = context
  const tsa = await startDevelopmentTsa({ clock, random })
  closes.push(() => tsa.close())
  const anvil = findAnvil()
  const evm = anvil === null ? null : await startEvmChain(anvil, { args: ['--block-time', '1'] })
  if (evm !== null) closes.push(() => evm.stop())
  const bitcoin =
    bitcoind === null ? null : await startBitcoinChain(bitcoind, join(folder, 'bitcoin'), children, context)
  return { tsa, evm, bitcoin }
}

async function tellStory(cast: Cast, { receiptsFile }: DemoOptions): Promise<number> {
  const { nodes, narrator, namespace, context } = cast
  const startedMs = context.clock.monotonicMs()
  const receipts = await demoReceipts(receiptsFile, cast.folder)
  await narrator.opening('Three organisations that do not trust each other run a node each: here, three processes.')
  await joinMesh(cast)
  const sealed = await sealReceipts(cast, receipts)
  await timestampAndAnnounce(cast, sealed)
  await publishPack(cast)
  await killAndRestart(cast)
  await takePartAgain(cast, sealed)
  await cutAndHeal(cast)

  await narrator.step('Do all three agree? The digests that each computes for itself')
  const comparison = await compareDigests(nodes, [namespace, '_trust'], context)
  if (context.json) await context.output.json(comparison)
  else await context.output.line(`\n${digestTable(comparison)}\n`)
  const took = duration(context.clock.monotonicMs() - startedMs)
  if (!comparison.equal) {
    await narrator.closing(`NOT equal, after ${took}: look at the rows that say NO.`)
    return EXIT.failed
  }
  await narrator.closing(`All equal: three nodes, one history, in ${took}.`)
  return EXIT.done
}
