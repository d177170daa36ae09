import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { examples } from '../help.ts'
import { facts, figure } from '../table.ts'

interface RekeyVerbOptions {
  readonly encrypt?: true
  readonly decrypt?: true
}

/** `anchormesh store rekey`: encrypt the values of the store, under a new key, or decrypt them. */
export const registerStore: RegisterVerb = (program, runner) => {
  const store = program
    .command('store')
    .summary('encrypt the store of the data folder, or change its key')
    .description('The store of the data folder: its encryption.')
    .addHelpText('after', examples('anchormesh store rekey'))
  store
    .command('rekey')
    .summary('encrypt the store under a new key, or turn its encryption on or off')
    .description(
      'Brings the values of the store into line with store.encrypt: encrypts them under a new key, or ' +
        'decrypts them, and verifies them. The node must be stopped. It may be broken off at any time; run it again ' +
        'then, it goes on where it stopped. It needs room for the store a second time.'
    )
    .option('--encrypt', 'encrypt, whatever store.encrypt says')
    .option('--decrypt', 'decrypt, whatever store.encrypt says')
    .addHelpText('after', examples('anchormesh store rekey', 'anchormesh store rekey --encrypt'))
    .action((options: RekeyVerbOptions, command: Command) =>
      runner.run(command, async (context) => {
        if (options.encrypt === true && options.decrypt === true) {
          throw new AnchormeshError('USAGE', '--encrypt and --decrypt exclude each other', { hint: 'Name one.' })
        }
        const { rekeyStores } = await import('../rekey.ts')
        const { writeAuditNote } = await import('../data-folder/audit-notes.ts')
        const { readFederation } = await import('../data-folder/load-config.ts')
        const { runningNode } = await import('../running-node.ts')
        const { folder, passphrases, clock, random, signal, json, output } = context
        const configured = (await readFederation(context.configSources)).store.encrypt
        if ((await runningNode(context)) !== null) {
          throw new AnchormeshError('STORE_LOCKED', 'a node is running on this data folder', { hint: 'Stop it first.' })
        }
        const encrypt = options.encrypt ?? (options.decrypt === true ? false : configured)
        let step = ''
        let progress = context.progress(step)
        const onProgress = (next: string, entries: number): void => {
          if (next !== step) {
            progress.end()
            step = next
            progress = context.progress(step)
          }
          if (entries > 0) progress.report({ done: entries, total: null, unit: 'values' })
        }
        const rekeying = rekeyStores({ folder, encrypt, passphrases, clock, random, signal, onProgress })
        const done = await rekeying.finally(() => progress.end())
        const { encrypted, keyId, entries, resumed } = done
        const about = {
          action: 'STORE_REKEYED',
          subject: folder,
          detail: { encrypted, keyId, entries, resumed }
        } as const
        await writeAuditNote(folder, about, { clock, random })
        if (json) await output.json(done)
        else {
          await output.line(
            facts([
              ['store', done.encrypted ? `encrypted, key ${done.keyId ?? ''}` : 'not encrypted'],
              ['values', figure(done.entries)],
              ['records verified', figure(done.records)]
            ])
          )
        }
        if (encrypt !== configured) output.note(`Now set store.encrypt to ${encrypt} in federation.yaml.`)
      })
    )
}
