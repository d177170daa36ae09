import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { RunJob } from '../../../simulations/run/jobs.ts'
import type { SweptRun } from '../../../simulations/run/sweep.ts'
import { EXIT } from '../../platform/errors.ts'
import { countArgument } from '../arguments.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { addExtensionOption, againText, extensionsOf, modulesOf } from '../simulate-arguments.ts'
import { failureLines, failureText, interruptedText, isGood, progressOf, runRow } from '../simulate-text.ts'
import { facts } from '../table.ts'

interface SweepCliOptions {
  readonly jobs?: number
  readonly extension?: readonly string[]
  readonly out: string
}

/** `anchormesh simulate sweep FILE` */
export const registerSimulateSweep: RegisterVerb = (simulate, runner) => {
  const sweep = simulate
    .command('sweep')
    .summary('run a scenario over a grid of parameters')
    .description(
      'Runs a scenario at each point of a grid of parameters with several seeds. What was finished before is not run ' +
        'again, so a sweep that was interrupted goes on when it is started once more with the same folder. Ends with 1 ' +
        'where a check failed, in those runs, too, and says how to see it again.'
    )
    .argument('<file>', 'the YAML file of the sweep (simulations/README.md shows its form)')
  addExtensionOption(sweep)
    .option('--jobs <count>', 'so many runs side by side (default: as many as there are cores)', countArgument)
    .requiredOption('--out <folder>', 'where runs, the table of all of them and the report are written')
    .addHelpText('after', examples('anchormesh simulate sweep loss.yaml --out results/loss'))
    .action((file: string, options: SweepCliOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { loadSweep } = await import('../../../simulations/run/sweep-file.ts')
        const { finishedRuns, planSweep, runSweep, sweptPoints } = await import('../../../simulations/run/sweep.ts')
        const { prepareResultFolder } = await import('../../../simulations/run/result-folder.ts')
        const { writeSweepFiles } = await import('../../../simulations/results/sweep-files.ts')
        const loaded = await loadSweep(file, modulesOf(options))
        const { signal } = context
        const folder = resolve(options.out)
        const scenarios = loaded.points.map((point) => point.loaded.scenario)
        const extensions = await extensionsOf(options, scenarios)
        await prepareResultFolder(folder, { kind: 'sweep', name: loaded.name })
        const settings = { folder, parallel: options.jobs, signal, extensions }
        const plan = planSweep(loaded, settings)
        const wrong = new Map<RunJob, string>()
        const tell = async (run: SweptRun): Promise<void> => {
          const { point, job, end } = run
          const again = `${againText(loaded.source, job.seed, { ...options, set: point.settings })} --out DIR`
          if (!isGood(end)) wrong.set(job, failureText(placeText(run), failureLines(end), again))
          if (context.json) await context.output.json({ parameters: point.parameters, ...runRow(run) })
        }
        for (const run of finishedRuns(plan)) if (!isGood(run.end)) await tell(run)
        const progress = context.progress(`sweeping ${loaded.name}`)
        const report = progressOf(plan.left.length, progress.report)
        let made = 0
        try {
          const runs = runSweep(plan, { ...settings, onProgress: (job, how) => report(job.outDir ?? '', how) })
          for await (const run of runs) {
            made += 1
            await tell(run)
          }
        } finally {
          progress.end()
          // What is finished stays, also where the rest was interrupted.
          const points = sweptPoints(loaded, folder)
          if (points.length > 0) writeSweepFiles(folder, loaded.name, points)
          const texts = [...plan.finished, ...plan.left].flatMap(({ job }) => wrong.get(job) ?? [])
          if (!context.json) for (const text of texts) await context.output.line(`${text}\n`)
          if (signal.aborted) context.output.note(interruptedText(made, plan.left.length))
        }
        if (!context.json) {
          await context.output.line(
            facts([
              ['points', loaded.points.length],
              ['runs', plan.left.length],
              ['failed', wrong.size],
              ['finished before', plan.finished.length],
              ['report', join(folder, 'report.html')]
            ])
          )
        }
        return wrong.size === 0 ? EXIT.done : EXIT.failed
      })
    )
}

/** Which run of the sweep it is. */
function placeText({ point, job }: SweptRun): string {
  const parameters = Object.entries(point.parameters).map(([key, value]) => `${key}=${String(value)}`)
  return [...parameters, `seed ${job.seed}`].join(', ')
}
