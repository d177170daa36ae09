import { dirname, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import { countArgument } from '../arguments.ts'
import type { Scenario } from '../../../simulations/scenario/schema.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { writeNewFile } from '../new-file.ts'
import { addScenarioOptions, againText, extensionsOf, loadWith, seedArgument } from '../simulate-arguments.ts'
import type { ScenarioOptions } from '../simulate-arguments.ts'
import { facts } from '../table.ts'

interface MinimiseCliOptions extends ScenarioOptions {
  readonly scenario: string
  readonly jobs?: number
  readonly tries: number
  readonly out?: string
}

/** `anchormesh simulate minimise SEED` */
export const registerSimulateMinimise: RegisterVerb = (simulate, runner) => {
  const minimise = simulate
    .command('minimise')
    .summary('look for the smallest scenario that still fails')
    .description(
      'Takes faults, Byzantine peers, workloads, nodes and time away from a scenario that fails with the seed, for as ' +
        'long as it fails the same check, and saves what is left as a scenario.'
    )
    .argument('<seed>', 'the seed with which the scenario fails', seedArgument)
    .option('--scenario <scenario>', 'a YAML file, or a name', 'mixed-faults')
  addScenarioOptions(minimise)
    .option('--jobs <count>', 'so many runs side by side (default: as many as there are cores)', countArgument)
    .option('--tries <count>', 'at most so many runs', countArgument, 200)
    .option('--out <file>', 'the new file (default: SCENARIO-SEED.yaml)')
    .addHelpText('after', examples('anchormesh simulate minimise 17 --scenario mixed-faults --out failing.yaml'))
    .action((seed: string, options: MinimiseCliOptions, command: Command) =>
      runner.run(command, async (context) => {
        const run = await import('../../../simulations/run/minimise.ts')
        const { scenarioText } = await import('../../../simulations/scenario/written.ts')
        const loaded = await loadWith(options.scenario, options)
        const { name } = loaded.scenario
        const extensions = await extensionsOf(options, [loaded.scenario])
        const path = resolve(options.out ?? `${name}-${seed}.yaml`)
        // Whether it can be written is found out before the search, which takes long.
        const { scenario, check, tries } = await writeNewFile(path, async (put) => {
          const progress = context.progress(`minimising ${name}`)
          const found = await run
            .minimise(loaded, seed, {
              parallel: options.jobs,
              signal: context.signal,
              extensions,
              triesMax: options.tries,
              onTry: (done) => progress.report({ done, total: options.tries, unit: 'runs' })
            })
            .finally(progress.end)
          if (!found.ok) {
            throw new AnchormeshError('NOT_FOUND', `${name} does not fail with seed ${seed}`, {
              hint: 'Give the options with which it failed.'
            })
          }
          const placed = withFilesFrom(found.scenario, dirname(resolve(options.scenario)), dirname(path))
          await put(scenarioText(placed, `Fails ${found.check} with seed ${seed}.`).trimEnd())
          return found
        })
        if (context.signal.aborted) context.output.note('Interrupted: this is the smallest that was found until now.')
        const { nodes, faults } = scenario
        if (context.json) await context.output.json({ seed, check, tries, file: path, nodes, faults: faults.length })
        else {
          await context.output.line(
            facts([
              ['fails', check],
              ['nodes', nodes],
              ['faults', faults.length],
              ['runs', tries],
              ['scenario', path],
              ['again', againText(path, seed, { extension: options.extension ?? [] })]
            ])
          )
        }
        return EXIT.done
      })
    )
}

/** The scenario with the files that it names in `from`, for a file in `to`. */
function withFilesFrom(scenario: Scenario, from: string, to: string): Scenario {
  const placed = (name: string): string => relative(to, resolve(from, name))
  const { topology, linkMatrix } = scenario
  return {
    ...scenario,
    ...(topology.kind === 'file' ? { topology: { ...topology, path: placed(topology.path) } } : {}),
    ...(linkMatrix === undefined ? {} : { linkMatrix: placed(linkMatrix) })
  }
}
