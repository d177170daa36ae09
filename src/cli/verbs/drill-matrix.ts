import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { MatrixRun } from '../../drill/matrix.ts'
import { AnchormeshError, EXIT } from '../../platform/errors.ts'
import type { RegisterVerb } from '../command.ts'
import { MATRICES_FOLDER, TARGETS_FILE, targetsArgument } from '../drill-arguments.ts'
import { examples } from '../help.ts'
import { packageVersion } from '../../platform/package-info.ts'
import { facts, table } from '../table.ts'

interface MatrixCliOptions {
  readonly targetsFile: string
  readonly requiredTargets?: readonly string[]
  readonly out: string
}

/** `anchormesh drill matrix`: a drill of each of several targets. */
export const registerDrillMatrix: RegisterVerb = (drill, runner) => {
  drill
    .command('matrix')
    .summary('run the drill against several targets')
    .description(
      'Runs the drill against the named targets of a file, a few at once; what goes wrong with one keeps no other from ' +
        'being tried. The file names the environment variable of each admin token; a file that holds one is refused. ' +
        'Ends with 0 where all passed, 1 where one failed, 3 where nothing is wrong but that targets can’t be reached.'
    )
    .addOption(
      new Option('--targets-file <file>', 'the targets (config/interop-targets.example.json shows the form)').default(
        TARGETS_FILE
      )
    )
    .option('--required-targets <names>', 'which of them, by commas (default: all of the file)', targetsArgument)
    .addOption(new Option('--out <folder>', 'where the folder of the matrix is made').default(MATRICES_FOLDER))
    .addHelpText('after', examples('anchormesh drill matrix --targets-file F --required-targets staging,preprod'))
    .action((options: MatrixCliOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { readTargetsFile } = await import('../../drill/targets-file.ts')
        const { runMatrix } = await import('../../drill/matrix.ts')
        const file = await readTargetsFile(resolve(options.targetsFile))
        const required = options.requiredTargets ?? [...file.targets.keys()]
        if (required.length === 0) throw new AnchormeshError('CONFIG_INVALID', `${file.path} has no targets`)
        const { clock, random, signal, environment } = context
        const progress = context.progress('drilling')
        const running = runMatrix(
          { file, required, out: resolve(options.out) },
          { clock, random, signal, environment, version: packageVersion }
        )
        const run = await running.finally(progress.end)
        if (context.json) await context.output.json({ ...run.matrix, folder: run.folder })
        else await context.output.line(matrixText(run))
        return run.matrix.passed ? EXIT.done : run.unreachable ? EXIT.undecided : EXIT.failed
      })
    )
}

function matrixText({ matrix, folder }: MatrixRun): string {
  const about = facts([
    ['matrix', matrix.matrix_id],
    ['outcome', matrix.passed ? 'passed' : 'FAILED'],
    ['evidence', folder]
  ])
  const rows = table(
    [
      { heading: 'TARGET', cell: ({ target }) => target },
      { heading: 'OUTCOME', cell: ({ passed }) => (passed ? 'passed' : 'FAILED') },
      { heading: 'DRILL', cell: ({ drill_id: drillId }) => drillId },
      { heading: 'REASON', cell: ({ reason }) => reason }
    ],
    matrix.targets
  )
  return `${about}\n\n${rows}`
}
