import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

/** `anchormesh start`: runs the node until it is told to stop. */
export const registerStart: RegisterVerb = (program, runner) => {
  program
    .command('start')
    .summary('run the node: join the mesh and serve')
    .description(
      'Runs the node of the data folder in the foreground: joins the mesh and serves HTTP and its admin listener. Prints ' +
        'one line, `ready` and an object with did, peerId, multiaddrs, http and admin, once it serves. SIGINT and SIGTERM ' +
        'stop it in order; a second one ends it at once. SIGHUP has it read its configuration again.'
    )
    .option(
      '--while-stdin',
      'stop when standard input ends, so that the node does not outlive the program that runs it'
    )
    .addHelpText(
      'after',
      examples('anchormesh start', 'anchormesh start --data /srv/anchormesh --config /etc/anchormesh/federation.yaml')
    )
    .action((options: { readonly whileStdin?: true }, command: Command) =>
      runner.run(command, async (context) => {
        const { serveNode } = await import('../serve-node.ts')
        await serveNode(context, { whileStdin: options.whileStdin === true })
      })
    )
}
