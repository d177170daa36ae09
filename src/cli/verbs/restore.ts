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
    .option(
      '--keystore <file>',
      'the keystore.json to use: of a backup without keys, or a newer one than the backup has'
    )
    .addHelpText(
      'after',
      examples(
        'anchormesh restore /backups/2026-11-21 --data /srv/anchormesh',
        'anchormesh restore copy --keystore /safe/keystore.json --data /srv/anchormesh'
      )
    )
    .action((backup: string, { keystore }: { readonly keystore?: string }, command: Command) =>
      runner.run(command, async (context) => {
        const { restoreBackup } = await import('../../backup/restore-backup.ts')
        const { keystoreToRestore, unlockRestored } = await import('../data-folder/restored-keystore.ts')
        const { decryptedStore } = await import('../data-folder/open-stores.ts')
        const { writeAuditNote } = await import('../data-folder/audit-notes.ts')
        const { openLevelStore } = await import('../../log/level-store.ts')
        const given = keystore === undefined ? [] : [await keystoreToRestore(resolve(keystore), context.passphrases)]
        const progress = context.progress('restoring')
        const restored = await restoreBackup(
          { directory: resolve(backup), folder: context.folder },
          {
            random: context.random,
            openStore: (location) => openLevelStore(location, { create: true }),
            inside: (store, folder) =>
              decryptedStore(store, 'store', () => unlockRestored(folder, context.passphrases), context.random),
            files: given,
            restored: async (staging, { epoch, restoredFrom, records }) => {
              const { epoch: fromEpoch, size, root } = restoredFrom
              const detail = { epoch, fromEpoch, size, root, records, withKeystore: keystore !== undefined }
              await writeAuditNote(staging, { action: 'BACKUP_RESTORED', subject: resolve(backup), detail }, context)
            }
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
