import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { statusText } from '../status-text.ts'
import { withOperations } from '../with-operations.ts'

/** Often enough to see a peer come and go. */
const WATCH_MS = 1_000

/** `anchormesh status`: how the node is. */
export const registerStatus: RegisterVerb = (program, runner) => {
  program
    .command('status')
    .summary('show how the node is: log, ingest, audit, mesh, warnings')
    .description(
      'Shows how the node of the data folder is: what to look at (warning: keys, packs and certificates that end, a ' +
        'signer or a collector that is away, logs of others that contradict themselves), its log, projections, ingest, ' +
        'timestamp anchors in hand, receipts that are missing, the audit log and, while it runs, its mesh and the last ' +
        'sync with each peer: END says equal where both held the same already, synced where what one lacked was passed ' +
        'on, else what went wrong; ROUNDS is how often this node waited for an answer; NEXT is when this node opens the ' +
        'next one. Ends with 0 however the node is: health says that.'
    )
    .option('--watch', 'show it again every second, until interrupted')
    .addHelpText('after', examples('anchormesh status', 'anchormesh status --watch'))
    .action((options: { readonly watch?: true }, command: Command) =>
      runner.run(command, async (context) => {
        const { output, json, clock, signal } = context
        for (;;) {
          // Asked anew each time, so that a watch sees the node stop and start, and never keeps the store from it.
          const status = await withOperations(context, (operations) => operations.status())
          const clear = options.watch === true && output.answersToTerminal ? '\x1b[H\x1b[2J' : ''
          if (json) await output.json(status)
          else await output.line(clear + statusText(status))
          if (options.watch !== true) return
          await clock.sleep(WATCH_MS, signal)
        }
      })
    )
}
