import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'
import { withOperations } from '../with-operations.ts'

/** `anchormesh backup`: one moment of the node, as a folder. */
export const registerBackup: RegisterVerb = (program, runner) => {
  program
    .command('backup')
    .summary('write everything that the node has to a new folder')
    .description(
      'Writes one moment of the log, the receipts, the configuration and the keys to a new folder, with the SHA-256 of ' +
        'every file. A running node goes on with its work meanwhile. The folder appears when all of it is written. An ' +
        'encrypted store, and a sealed keystore, are backed up as they are.'
    )
    .argument('<folder>', 'where nothing is yet')
    .option('--without-keys', 'leave out keystore.json and the key files that the configuration names')
    .addHelpText('after', examples('anchormesh backup /backups/2026-11-21', 'anchormesh backup --without-keys copy'))
    .action((folder: string, options: { readonly withoutKeys?: true }, command: Command) =>
      runner.run(command, async (context) => {
        const progress = context.progress('backing up')
        const request = { directory: resolve(folder), withoutKeys: options.withoutKeys === true }
        const made = await withOperations(context, (operations) => operations.backup(request, progress.report)).finally(
          progress.end
        )
        if (context.json) return await context.output.json(made)
        for (const warning of made.warnings) context.output.note(`warning: ${warning}`)
        await context.output.line(
          facts([
            ['backup', made.directory],
            ['log', `${figure(made.logSeq)} records, head ${made.headHash}`],
            ['epoch', made.epoch],
            ['files', `${figure(made.files)}, ${figure(made.bytes)} bytes`]
          ])
        )
      })
    )
}
