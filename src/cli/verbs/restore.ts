import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'

/** `anchormesh restore`: a backup becomes a data folder. */
export const registerRestore: RegisterVerb = (program, runner) => {
  program
    .command('restore')
    .summary('make a data folder out of a backup')
    .description(
      'Checks every file of the backup, writes the data folder (which must be new or empty), verifies its log, and only ' +
        'then puts it in its place. The log goes on in a new epoch, so that others can tell a restore from a rewritten ' +
        'log. Start the node and let it connect before it announces: it takes what it has signed since from its peers.'
    )
    .argument('<folder>', 'the backup')
    .addHelpText('after', examples('anchormesh restore /backups/2026-11-21 --data /srv/anchormesh'))
    .action((backup: string, _options: object, command: Command) =>
      runner.run(command, async (context) => {
        const { restoreBackup } = await import('../../backup/restore-backup.ts')
        const { readKeystore } = await import('../data-folder/keystore.ts')
        const { decryptedStore } = await import('../data-folder/open-stores.ts')
        const { dataPaths } = await import('../data-folder/paths.ts')
        const { openLevelStore } = await import('../../log/level-store.ts')
        const progress = context.progress('restoring')
        const restored = await restoreBackup(
          { directory: resolve(backup), folder: context.folder },
          {
            random: context.random,
            openStore: (location) => openLevelStore(location, { create: true }),
            inside: (store, folder) =>
              decryptedStore(
                store,
                'store',
                () => readKeystore(dataPaths(folder).keystore, context.passphrases),
                context.random
              )
          },
          (done, total, unit) => progress.report({ done, total, unit })
        ).finally(progress.end)
        if (context.json) return await context.output.json(restored)
        if (restored.withoutKeys)
          context.output.note('The backup has no keys: put keystore.json back before you start.')
        const { epoch, size } = restored.restoredFrom
        await context.output.line(
          facts([
            ['folder', restored.folder],
            ['log', `${figure(restored.records)} records, intact`],
            ['epoch', restored.epoch],
            ['restored from', `epoch ${epoch} at record ${figure(size)}`]
          ])
        )
      })
    )
}
