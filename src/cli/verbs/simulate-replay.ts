import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Command } from 'commander'
import { EXIT } from '../../platform/errors.ts'
import type { RegisterVerb } from '../command.ts'
import { examples } from '../help.ts'
import { addExtensionOption, modulesOf } from '../simulate-arguments.ts'
import type { ScenarioOptions } from '../simulate-arguments.ts'
import { tellComparison } from '../simulate-comparison.ts'
import { progressOf } from '../simulate-text.ts'

/** `anchormesh simulate replay TRACE` */
export const registerSimulateReplay: RegisterVerb = (simulate, runner) => {
  const replay = simulate
    .command('replay')
    .summary('make the run of a trace again, and compare')
    .description(
      'Reads from a trace which scenario and seed it is of, makes that run again, and shows the first difference, where ' +
        'there is one. Ends with 1 then.'
    )
    .argument('<trace>', 'the trace.jsonl.gz of a run')
  addExtensionOption(replay)
    .addHelpText('after', examples('anchormesh simulate replay results/runs/seed-1/trace.jsonl.gz'))
    .action((trace: string, options: Pick<ScenarioOptions, 'extension'>, command: Command) =>
      runner.run(command, async (context) => {
        const { readTracedRun } = await import('../../../simulations/run/replay.ts')
        const { tracedExtensions } = await import('../../../simulations/run/traced-extensions.ts')
        const { programVersion } = await import('../../../simulations/run/program-version.ts')
        const { compareWith } = await import('../../../simulations/run/compare.ts')
        const path = resolve(trace)
        const { job: traced, extensions, versions } = await readTracedRun(path)
        const { urls, changed } = await tracedExtensions(extensions, modulesOf(options))
        for (const { traced: before, given } of changed) {
          const hashes = `SHA-256 ${before.sha256} in the trace, ${given.sha256} now`
          context.output.note(`${given.name} has other contents (${hashes}); the run may go otherwise.`)
        }
        const job = { ...traced, extensions: urls }
        const program = { nodeVersion: process.version, ...(await programVersion()) }
        if (!isDeepStrictEqual(versions, program)) {
          const made = `Anchormesh ${versions.version} (${versions.commit ?? 'no commit'}) with Node ${versions.nodeVersion}`
          context.output.note(`The trace is by ${made}; other versions may run otherwise.`)
        }
        const progress = context.progress(`replaying seed ${job.seed}`)
        const onProgress = progressOf(1, progress.report)
        const { signal } = context
        const comparing = compareWith(job, path, { signal, onProgress: (how) => onProgress(job.seed, how) })
        const comparison = await comparing.finally(progress.end)
        await tellComparison(context, job.seed, comparison, ['trace', 'again'])
        return comparison.kind === 'same' ? EXIT.done : EXIT.failed
      })
    )
}
