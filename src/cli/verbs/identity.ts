import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

/** `anchormesh identity`: the block that another operator adds with `anchormesh peers add`. */
export const registerIdentity: RegisterVerb = (program, runner) => {
  program
    .command('identity')
    .summary('print this node’s entry for the peers.yaml of others')
    .description(
      'Prints this node’s entry for the peers.yaml of others, as YAML. While the node runs, the addresses are those ' +
        'that it really listens on.'
    )
    .addHelpText(
      'after',
      examples('anchormesh identity > vaultmesh.yaml', 'anchormesh identity | ssh other-host anchormesh peers add -')
    )
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const { loadConfig } = await import('../data-folder/load-config.ts')
        const { identityEntry } = await import('../data-folder/identity.ts')
        const { runningNode } = await import('../running-node.ts')
        const config = await loadConfig(context.configSources)
        const status = await (await runningNode(context))?.operations.status()
        const identity = identityEntry(config, { multiaddrs: status?.network?.multiaddrs ?? [] })
        if (context.json) await context.output.json(identity.entry)
        else await context.output.line(identity.yaml.trimEnd())
      })
    )
}
