import type { Command } from 'commander'
import { namespacesArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import type { ConfigText } from '../data-folder/load-config.ts'
import type { ListedPeer } from '../data-folder/peers-file.ts'
import { examples } from '../help.ts'
import { readText, withInput } from '../input.ts'
import { shortDid, table } from '../table.ts'

/** `anchormesh peers add` and `anchormesh peers list`. */
export const registerPeers: RegisterVerb = (program, runner) => {
  const peers = program
    .command('peers')
    .summary('who the other nodes are, and what they may do')
    .description('Who the other nodes are, and what they may do.')
    .addHelpText('after', examples('anchormesh peers add other-node.yaml', 'anchormesh peers list'))
  peers
    .command('add')
    .summary('add a node: what its `anchormesh identity` prints')
    .description(
      'Adds what another node’s `anchormesh identity` prints to peers.yaml, and lets it into the namespaces of ' +
        'federation.yaml. Organisations may do to each other what crossOrg in peers.yaml allows; what the roles of the ' +
        'block need is added there. A running node takes it in by anchormesh config reload.'
    )
    .argument('<file>', 'the file with the block, or - for standard input')
    .option('--namespace <namespace>', 'let it only into this namespace; can be given again', namespacesArgument)
    .addHelpText('after', examples('anchormesh peers add other-node.yaml'))
    .action((file: string, options: { readonly namespace?: readonly string[] }, command: Command) =>
      runner.run(command, async (context) => {
        const { addPeer } = await import('../data-folder/peers-file.ts')
        const { readAdminFile } = await import('../data-folder/admin-file.ts')
        const block = await readBlock(file, context)
        const added = await addPeer(
          context.configSources,
          block,
          options.namespace === undefined ? {} : { namespaces: options.namespace }
        )
        const changes = added.changes.length === 0 ? ['Everything is as the block says already.'] : added.changes
        if (context.json) await context.output.json(added)
        else await context.output.line(changes.join('\n'))
        if (added.changes.length > 0 && (await readAdminFile(context.folder)) !== null) {
          context.output.note('A node is running on this folder: anchormesh config reload has it take this in.')
        }
      })
    )
  peers
    .command('list')
    .summary('list the nodes of peers.yaml and the rights that they have')
    .description(
      'Lists the nodes of peers.yaml. A right needs both: the role there, and the DID under the namespace in ' +
        'federation.yaml.'
    )
    .addHelpText('after', examples('anchormesh peers list', 'anchormesh peers list --json'))
    .action((_options: object, command: Command) =>
      runner.run(command, async ({ configSources, json, output }) => {
        const { loadConfig } = await import('../data-folder/load-config.ts')
        const { listPeers } = await import('../data-folder/peers-file.ts')
        const config = await loadConfig(configSources)
        const listed = listPeers(config.peers, config.policy)
        if (json) for (const peer of listed) await output.json(peer)
        else if (listed.length > 0) await output.line(peersTable(listed))
        if (listed.length === 0) output.note('No peers yet: anchormesh peers add FILE')
      })
    )
}

async function readBlock(file: string, { stdin }: CommandContext): Promise<ConfigText> {
  return await withInput(file, stdin, async (input) => ({ file: input.name, text: await readText(input) }))
}

function rightsText(rights: ListedPeer['rights']): string {
  return Object.entries(rights)
    .map(([namespace, roles]) => `${namespace} (${roles.join(', ')})`)
    .join('; ')
}

function peersTable(peers: readonly ListedPeer[]): string {
  return table<ListedPeer>(
    [
      { heading: 'ORGANISATION', cell: ({ orgId }) => orgId },
      { heading: 'DID', cell: ({ did }) => shortDid(did) },
      { heading: 'PEERID', cell: ({ peerId }) => peerId },
      { heading: 'RIGHTS', cell: ({ rights }) => rightsText(rights) },
      { heading: 'ADDRESSES', cell: ({ addresses }) => addresses.join(' ') }
    ],
    peers
  )
}
