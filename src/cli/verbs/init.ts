import type { Command } from 'commander'
import { namespacesArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts } from '../table.ts'

interface InitVerbOptions {
  readonly org?: string
  readonly did?: string
  readonly namespace?: readonly string[]
  readonly seal?: true
}

/** `anchormesh init`: makes a data folder with a new identity. */
export const registerInit: RegisterVerb = (program, runner) => {
  program
    .command('init')
    .summary('make a data folder: a new identity, federation.yaml, peers.yaml')
    .description(
      'Makes a data folder with a new identity (keystore.json) and commented federation.yaml and peers.yaml. ' +
        'Nothing is ever overwritten.'
    )
    .option('--org <org>', 'the organisation that the node belongs to (default: a name made from its key)')
    .option('--did <did>', 'a DID of another method than did:key, bound to the new key by the others’ peers.yaml')
    .option('--namespace <namespace>', 'a namespace to carry; can be given several times', namespacesArgument)
    .option('--seal', 'seal keystore.json with a passphrase (see --passphrase-file)')
    .addHelpText(
      'after',
      examples('anchormesh init --org vaultmesh --namespace dao:vaultmesh', 'anchormesh init --org vaultmesh --seal')
    )
    .action((options: InitVerbOptions, command: Command) =>
      runner.run(command, async ({ folder, random, clock, json, output, passphrases }) => {
        const { initDataFolder } = await import('../data-folder/init.ts')
        const { newSeal } = await import('../data-folder/keystore-seal.ts')
        const made = await initDataFolder({
          folder,
          ...(options.org === undefined ? {} : { orgId: options.org }),
          ...(options.did === undefined ? {} : { did: options.did }),
          namespaces: options.namespace ?? [],
          random,
          clock,
          ...(options.seal === true
            ? { seal: async (path: string) => await newSeal(await passphrases.first(path), random) }
            : {})
        })
        if (json) {
          await output.json(made)
          return
        }
        await output.line(
          facts([
            ['data folder', made.folder],
            ['organisation', made.orgId],
            ['DID', made.did],
            ['PeerId', made.peerId]
          ])
        )
        const look =
          options.namespace === undefined
            ? 'name a namespace in federation.yaml, without one the node carries nothing;'
            : 'look at federation.yaml,'
        output.note(`Next: ${look} exchange identities (anchormesh identity, anchormesh peers add), anchormesh start.`)
      })
    )
}
