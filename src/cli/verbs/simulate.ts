import { join, resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { RunJob } from '../../../simulations/run/jobs.ts'
import type { EndedRun } from '../../../simulations/run/spawn-runs.ts'
import type { RunProgress } from '../../../simulations/run/spawn.ts'
import { EXIT } from '../../platform/errors.ts'
import { countArgument } from '../arguments.ts'
import type { CommandContext, RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { addScenarioOptions, againText, extensionsOf, loadWith, seedArgument } from '../simulate-arguments.ts'
import type { ScenarioOptions } from '../simulate-arguments.ts'
import { interruptedText, isGood, progressOf, reportedText, runRow, runsText } from '../simulate-text.ts'
import { registerSimulateMinimise } from './simulate-minimise.ts'
import { registerSimulateReplay } from './simulate-replay.ts'
import { registerSimulateSweep } from './simulate-sweep.ts'

interface SimulateOptions extends ScenarioOptions {
  readonly seed: string
  readonly runs: number
  readonly jobs?: number
  readonly check?: true
  readonly traceFrames?: true
  readonly out?: string
}

/** `anchormesh simulate SCENARIO`, and `simulate sweep | replay | minimise`. */
export const registerSimulate: RegisterVerb = (program, runner) => {
  const simulate: Command = program
    .command('simulate')
    .summary('run a mesh in virtual time, from one seed')
    .description(
      'Runs a scenario: many whole nodes over a simulated network, in virtual time, with faults, from one seed. The ' +
        'scenario is a YAML file or the name of one that comes with Anchormesh. Ends with 1 where a check failed, and ' +
        'says how to see it again.'
    )
    .usage('[options] <scenario>')
  // A command of its own, so that what stands after `sweep` and the like is never taken for an option of this one.
  const simulateOne = simulate
    .command('scenario', { isDefault: true, hidden: true })
    .argument('<scenario>', 'a YAML file, or a name such as split-brain')
  addScenarioOptions(simulateOne)
    .option(
      '--seed <seed>',
      'what decides everything that is drawn; of several runs the first one’s',
      seedArgument,
      '1'
    )
    .option('--runs <count>', 'so many runs, each with another seed', countArgument, 1)
    .option('--jobs <count>', 'so many runs side by side (default: as many as there are cores)', countArgument)
    .option('--check', 'run each twice, in two processes, and compare the traces')
    .option('--trace-frames', 'have the trace hold every frame')
    .addOption(
      new Option('--out <folder>', 'where traces, figures and the report are written (default: nowhere)').conflicts(
        'check'
      )
    )
    .action((scenario: string, options: SimulateOptions, command: Command) =>
      runner.run(command, (context) => (options.check === true ? check : run)(context, scenario, options))
    )
  registerSimulateSweep(simulate, runner)
  registerSimulateReplay(simulate, runner)
  registerSimulateMinimise(simulate, runner)
  const help = simulateOne.createHelp()
  simulate
    .configureHelp({
      ...simulate.configureHelp(),
      visibleOptions: () => help.visibleOptions(simulateOne),
      visibleArguments: () => help.visibleArguments(simulateOne)
    })
    .addHelpText(
      'after',
      examples(
        'anchormesh simulate split-brain --out results',
        'anchormesh simulate mixed-faults --runs 20 --set link.loss=0.01',
        'anchormesh simulate my-scenario.yaml --check'
      )
    )
}

async function run(context: CommandContext, scenario: string, options: SimulateOptions): Promise<number> {
  const { inOrder, jobOf, seedsOf, spawnRuns } = await import('../../../simulations/run/spawn-runs.ts')
  const { prepareResultFolder, runFolder } = await import('../../../simulations/run/result-folder.ts')
  const { seed, runs: count, jobs: parallel, out, traceFrames = false } = options
  const loaded = await loadWith(scenario, options)
  const folder = out === undefined ? null : resolve(out)
  const extensions = await extensionsOf(options, [loaded.scenario])
  if (folder !== null) await prepareResultFolder(folder, { kind: 'experiment', ...loaded, extensions })
  const jobs = seedsOf(seed, count).map((own) =>
    jobOf(loaded, own, { extensions, traceFrames, outDir: folder === null ? null : runFolder(folder, own) })
  )
  const progress = context.progress(`simulating ${loaded.scenario.name}`)
  const report = progressOf(count, progress.report)
  const ended: EndedRun[] = []
  const { signal } = context
  try {
    const onProgress = (job: RunJob, how: RunProgress): void => report(job.seed, how)
    for await (const each of spawnRuns(jobs, { parallel, signal, onProgress })) {
      ended.push(each)
      if (context.json) await context.output.json(runRow(each))
    }
  } finally {
    progress.end()
    // What is finished stays, also where the rest was interrupted.
    await tell(context, inOrder(jobs, ended), folder, (own) => `${againText(scenario, own, options)} --out DIR`)
    if (signal.aborted) context.output.note(interruptedText(ended.length, count))
  }
  return ended.every(({ end }) => isGood(end)) ? EXIT.done : EXIT.failed
}

async function tell(
  context: CommandContext,
  ended: readonly EndedRun[],
  folder: string | null,
  again: (seed: string) => string
): Promise<void> {
  if (ended.length === 0) return
  if (!context.json) await context.output.line(runsText(ended, again))
  const { writeReport } = await import('../../../simulations/run/result-folder.ts')
  const reported = folder === null ? null : writeReport(folder, ended)
  if (folder === null || reported === null) return
  context.output.note(`\nThe report is ${join(folder, 'report.html')}${reportedText(reported)}.`)
}

async function check(context: CommandContext, scenario: string, options: SimulateOptions): Promise<number> {
  const { jobOf, seedsOf } = await import('../../../simulations/run/spawn-runs.ts')
  const { runAllTwice } = await import('../../../simulations/run/compare.ts')
  const { tellComparison } = await import('../simulate-comparison.ts')
  const { seed, runs, jobs: parallel, traceFrames = false } = options
  const loaded = await loadWith(scenario, options)
  const extensions = await extensionsOf(options, [loaded.scenario])
  const jobs = seedsOf(seed, runs).map((own) => jobOf(loaded, own, { extensions, traceFrames }))
  const progress = context.progress(`simulating ${loaded.scenario.name} twice`)
  const report = progressOf(2 * runs, progress.report)
  const { signal } = context
  let isWell = true
  try {
    const onProgress = ({ outDir }: RunJob, how: RunProgress): void => report(outDir ?? '', how)
    for await (const { job, comparison } of runAllTwice(jobs, { parallel, signal, onProgress })) {
      isWell &&= comparison.kind === 'same' && isGood(comparison.end)
      progress.end()
      await tellComparison(context, job.seed, comparison, ['first', 'second'])
    }
  } finally {
    progress.end()
  }
  return isWell ? EXIT.done : EXIT.failed
}
