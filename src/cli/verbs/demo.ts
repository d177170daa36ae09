import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

interface DemoVerbOptions {
  readonly receipts?: string
  readonly keep?: true
}

/** `anchormesh demo`: the main job, on this machine, in seconds. */
export const registerDemo: RegisterVerb = (program, runner) => {
  program
    .command('demo')
    .summary('see three organisations’ nodes do the main job on this machine')
    .description(
      'Starts three nodes on loopback in a temporary folder: one organisation seals receipts, has their root stamped ' +
        'and announces it, another publishes its keys, a third is killed and comes back, then is cut off from the others ' +
        'and heals. Exit 0 when all three agree at the end. No process is left behind.'
    )
    .option('--receipts <file>', 'your receipts, JSON Lines (default: the packages in the project’s package-lock.json)')
    .option('--keep', 'leave the three data folders, to look around in')
    .addHelpText('after', examples('anchormesh demo', 'anchormesh demo --receipts receipts.jsonl'))
    .action(({ receipts, keep }: DemoVerbOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { runDemo } = await import('../demo/demo.ts')
        return await runDemo(context, {
          receiptsFile: receipts === undefined ? null : resolve(receipts),
          keep: keep === true
        })
      })
    )
}
