import type { Command } from 'commander'
import type { ConfigReloaded } from '../../policy/config-change.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import type { CommandContext, RegisterVerb, VerbRunner } from '../command.ts'
import type { SourcedSetting } from '../data-folder/sourced-settings.ts'
import { examples } from '../help.ts'
import { table } from '../table.ts'

/** `anchormesh config validate`, `show` and `reload`. */
export const registerConfig: RegisterVerb = (program, runner) => {
  const config = program
    .command('config')
    .summary('check the configuration, show it, have the node take it in')
    .description('The configuration: check it, see what is in force and why, have the running node take it in.')
    .addHelpText('after', examples('anchormesh config validate', 'anchormesh config reload'))
  registerValidate(config, runner)
  registerShow(config, runner)
  registerReload(config, runner)
}

function registerValidate(config: Command, runner: VerbRunner): void {
  config
    .command('validate')
    .summary('check both files, the keystore and the files that they name')
    .description(
      'Checks federation.yaml, peers.yaml and the environment, the keystore, certificates and key files, as a start ' +
        'does, and lists every problem with its file, line, column, key and code. Nothing is changed. Exit 2 when ' +
        'something is wrong.'
    )
    .addHelpText(
      'after',
      examples('anchormesh config validate', 'anchormesh config validate --config new-federation.yaml')
    )
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const { validateConfig } = await import('../validate-config.ts')
        const { problems, withoutEffect } = await validateConfig(context)
        const ok = problems.length === 0
        if (context.json) await context.output.json({ ok, problems, withoutEffect })
        else {
          const { problemText } = await import('../../policy/yaml.ts')
          for (const problem of problems) await context.output.line(problemText(problem))
          for (const setting of withoutEffect) context.output.note(problemText(setting))
          if (ok) await context.output.line('The configuration is valid.')
        }
        return ok ? EXIT.done : EXIT.usage
      })
    )
}

function registerShow(config: Command, runner: VerbRunner): void {
  config
    .command('show')
    .summary('show every setting with its value and where that comes from')
    .description(
      'Shows the configuration as a start would take it: each key, its value, and whether a flag, the environment, the ' +
        'file or the default says so; that is the order in which one goes before the other. User names, passwords and ' +
        'keys in URLs are masked.'
    )
    .argument('[prefix]', 'only keys that begin with this, such as node or rails.btc')
    .addHelpText('after', examples('anchormesh config show', 'anchormesh config show http --json'))
    .action((prefix: string | undefined, _options: object, command: Command) =>
      runner.run(command, async ({ configSources, json, output }) => {
        const { loadConfig } = await import('../data-folder/load-config.ts')
        const { masked } = await import('../../policy/config-change.ts')
        const { settings } = await loadConfig(configSources)
        const shown = settings
          .filter(({ key }) => prefix === undefined || key.startsWith(prefix))
          .map((setting) => ({ ...setting, value: masked(setting.value) }))
        if (json) for (const { key, value, source, place } of shown) await output.json({ key, value, source, place })
        else await output.line(settingsTable(shown))
      })
    )
}

function registerReload(config: Command, runner: VerbRunner): void {
  config
    .command('reload')
    .summary('have the running node read its configuration again')
    .description(
      'Has the running node read its files again (as SIGHUP does) and go by them: all of it, or nothing where anything ' +
        'is wrong. Shows what changed, and what needs a restart: listeners, the store, the audit trail. The environment ' +
        'and flags stay those that the node was started with. Ends with 0 when the node goes by what the files say, with ' +
        '2 when it goes on by what was in force.'
    )
    .addHelpText('after', examples('anchormesh config reload'))
    .action((_options: object, command: Command) =>
      runner.run(command, async (context) => {
        const { runningNode } = await import('../running-node.ts')
        const running = await runningNode(context)
        if (running === null)
          throw new AnchormeshError('NODE_NOT_RUNNING', 'no node runs on this folder', {
            hint: 'A start reads the configuration by itself: anchormesh start'
          })
        await tell(await running.operations.reloadConfig(), context)
      })
    )
}

async function tell(reloaded: ConfigReloaded, { json, output }: CommandContext): Promise<void> {
  if (json) return await output.json(reloaded)
  const { changes, isNewPolicy } = reloaded
  if (changes.length === 0) return await output.line('Nothing differs from what is in force.')
  for (const { key, before, after, needsRestart } of changes) {
    const note = needsRestart ? ' (needs a restart)' : ''
    await output.line(`${key}: ${valueText(before)} → ${valueText(after)}${note}`)
  }
  if (isNewPolicy) output.note('Another policy is in force.')
}

const valueText = (value: unknown): string => (value === null ? '(not set)' : JSON.stringify(value))

function settingsTable(settings: readonly SourcedSetting[]): string {
  return table<SourcedSetting>(
    [
      { heading: 'KEY', cell: ({ key }) => key },
      { heading: 'VALUE', cell: ({ value }) => valueText(value) },
      { heading: 'SOURCE', cell: ({ source }) => source },
      { heading: 'PLACE', cell: ({ place }) => place ?? '' }
    ],
    settings
  )
}
