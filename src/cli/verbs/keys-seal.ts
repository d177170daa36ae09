import { Option } from 'commander'
import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'

/** `anchormesh keys seal`: a passphrase for the keystore, or another one. */
export const registerKeysSeal: RegisterVerb = (program, runner) => {
  const keys =
    program.commands.find((command) => command.name() === 'keys') ??
    program.command('keys').description('The keys that this node signs with.')
  keys
    .command('seal')
    .summary('seal keystore.json with a passphrase, or with another one')
    .description(
      'Seals keystore.json with a passphrase (argon2id and AES-256-GCM), or with another one where it is sealed. What ' +
        'was written is read back before the old file is replaced. Passphrases come from --passphrase-file, ' +
        'ANCHORMESH_PASSPHRASE_FILE, ANCHORMESH_PASSPHRASE or the terminal, in this order; where the keystore is sealed ' +
        'already, the new one from --new-passphrase-file, ANCHORMESH_NEW_PASSPHRASE_FILE, ANCHORMESH_NEW_PASSPHRASE or ' +
        'the terminal.'
    )
    .option('--new-passphrase-file <file>', 'the new passphrase of a keystore that is sealed already')
    .addOption(new Option('--kdf <name>', 'how the key is made from the passphrase').choices(['argon2id', 'scrypt']))
    .addHelpText(
      'after',
      examples('anchormesh keys seal', 'anchormesh keys seal --passphrase-file old.txt --new-passphrase-file new.txt')
    )
    .action((options: { readonly kdf?: 'argon2id' | 'scrypt' }, command: Command) =>
      runner.run(command, async ({ folder, passphrases, clock, random, json, output }) => {
        const { sealKeystoreFile } = await import('../data-folder/seal-keystore.ts')
        const { writeAuditNote } = await import('../data-folder/audit-notes.ts')
        const { dataPaths } = await import('../data-folder/paths.ts')
        const sealed = await sealKeystoreFile(dataPaths(folder).keystore, passphrases, random, options.kdf)
        const { path: subject, kdf, wasSealed } = sealed
        const about = { action: 'KEYSTORE_SEALED', subject, detail: { kdf, wasSealed } } as const
        await writeAuditNote(folder, about, { clock, random })
        if (json) await output.json(sealed)
        else await output.line(`${sealed.path} is sealed (${sealed.kdf}); ${sealed.kids.length} keys`)
        if (!sealed.wasSealed) {
          output.note('What stood in the file before may still be on the disk and in backups: erase those, too.')
        }
      })
    )
}
