import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

/** `anchormesh signer`: signs for a node from a process of its own; `signer adopt` makes the node know its keys. */
export const registerSigner: RegisterVerb = (program, runner) => {
  const signer = program
    .command('signer')
    .summary('sign for a node from another process, over a Unix socket')
    .description(
      'Holds the keys of a keystore and signs with them for a node whose federation.yaml has `node.signer: unix:PATH`. ' +
        'Whoever may open the socket (mode 0600) may have anything signed. A bridge to an HSM speaks the same protocol: ' +
        'protocols/signer/v1.'
    )
    .option('--socket <path>', 'where to listen (default: run/signer.sock in the data folder)')
    .option('--keystore <file>', 'the keystore (default: keystore.json in the data folder)')
    .addHelpText('after', examples('anchormesh signer --keystore /etc/anchormesh/keys.json --socket /run/signer.sock'))
    .action((options: { readonly socket?: string; readonly keystore?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const { serveKeystore } = await import('../serve-signer.ts')
        await serveKeystore(context, options)
      })
    )
  signer
    .command('adopt')
    .summary('write the keys that node.signer holds into keystore.json')
    .description(
      'Asks the process of node.signer for its keys and writes their public halves into keystore.json, so that the node ' +
        'knows what it signs with while that process is away.'
    )
    .option('--remove-private', 'take private keys that the process holds out of keystore.json')
    .addHelpText('after', examples('anchormesh signer adopt', 'anchormesh signer adopt --remove-private'))
    .action((options: { readonly removePrivate?: true }, command: Command) =>
      runner.run(command, async (context) => {
        const { adoptSigner } = await import('../data-folder/adopt-signer.ts')
        const { writeAuditNote } = await import('../data-folder/audit-notes.ts')
        const { configSources, clock, random } = context
        const { socket, removed, ...adopted } = await adoptSigner(configSources, clock, options.removePrivate === true)
        const detail = { adopted: adopted.adopted.join(' '), removed: removed.length }
        const about = { action: 'SIGNER_ADOPTED', subject: socket, detail } as const
        await writeAuditNote(configSources.folder, about, { clock, random })
        if (context.json) await context.output.json(adopted)
        else {
          for (const kid of adopted.adopted) await context.output.line(`${kid}: held by the signer`)
          for (const kid of adopted.kept) await context.output.line(`${kid}: stands in keystore.json, too`)
        }
        if (adopted.kept.length > 0) {
          context.output.note('Once the signer’s own copy is safe: anchormesh signer adopt --remove-private')
        }
      })
    )
}
