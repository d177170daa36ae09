import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

interface DemoVerbOptions {
  readonly receipts?: string
  readonly keep?: true
  readonly bitcoind?: string
}

/** `anchormesh demo`: the main job, on this machine, in seconds. */
export const registerDemo: RegisterVerb = (program, runner) => {
  program
    .command('demo')
    .summary('see three organisations’ nodes do the main job on this machine')
    .description(
      'Starts three nodes on loopback in a temporary folder: one organisation seals receipts, has their root ' +
        'timestamped by an authority and on a local EVM chain and announces it, all three verify that and agree which ' +
        'timestamp anchor wins, another publishes its keys, a third is killed and comes back, then is cut off from the others ' +
        'and heals. Exit 0 when all three agree at the end. No process is left behind.'
    )
    .option('--receipts <file>', 'your receipts, JSON Lines (default: the packages in the project’s package-lock.json)')
    .option(
      '--bitcoind <path>',
      'timestamp on Bitcoin, too: a Bitcoin Core or Knots daemon, run in regtest on loopback'
    )
    .option('--keep', 'leave the three data folders, to look around in')
    .addHelpText('after', examples('anchormesh demo', 'anchormesh demo --receipts receipts.jsonl'))
    .action(({ receipts, keep, bitcoind }: DemoVerbOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { runDemo } = await import('../demo/demo.ts')
        return await runDemo(context, {
          receiptsFile: receipts === undefined ? null : resolve(receipts),
          keep: keep === true,
          bitcoind: bitcoind === undefined ? null : resolve(bitcoind)
        })
      })
    )
}
