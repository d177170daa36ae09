import { resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { EvidenceVerdict } from '../../drill/check-evidence.ts'
import type { TargetsFile } from '../../drill/targets-file.ts'
import { errnoOf } from '../../platform/atomic-file.ts'
import { EXIT } from '../../platform/errors.ts'
import { access } from 'node:fs/promises'
import type { RegisterVerb } from '../command.ts'
import { MATRICES_FOLDER, TARGETS_FILE, hoursArgument, targetsArgument } from '../drill-arguments.ts'
import { examples } from '../help.ts'
import { facts, table } from '../table.ts'

interface CheckOptions {
  readonly requiredTargets: readonly string[]
  readonly maxAgeHours: number
  readonly targetsFile?: string
  readonly matrix: string
  readonly out: string
}

const HOUR_MS = 3_600_000
/** A week: a release that was tried before then has changed since. */
const MAX_AGE_HOURS = 168

/** `anchormesh drill check`: whether the evidence of a matrix counts. */
export const registerDrillCheck: RegisterVerb = (drill, runner) => {
  drill
    .command('check')
    .summary('verify the evidence of a matrix, as CI does')
    .description(
      'Verifies that each required target passed, lately, by the evidence that a matrix left: that nothing was changed ' +
        'or made up, by the target’s own signed receipt under the keys that the targets file pins (`did`, `keys`). ' +
        'Asks no node. Ends with 0 where all counts, else with 1 and every reason.'
    )
    .requiredOption('--required-targets <names>', 'which targets must have passed, by commas', targetsArgument)
    .addOption(
      new Option('--max-age-hours <hours>', 'how long ago that may be').argParser(hoursArgument).default(MAX_AGE_HOURS)
    )
    .option('--targets-file <file>', `the targets and their keys (default: ${TARGETS_FILE})`)
    .addOption(new Option('--matrix <folder>', 'the folder of a matrix, or latest').default('latest'))
    .addOption(new Option('--out <folder>', 'where the folders of matrices are').default(MATRICES_FOLDER))
    .addHelpText('after', examples('anchormesh drill check --required-targets staging,preprod --max-age-hours 168'))
    .action((options: CheckOptions, command: Command) =>
      runner.run(command, async (context) => {
        const { checkEvidence, latestMatrix } = await import('../../drill/check-evidence.ts')
        const file = await targetsFileOf(options)
        const folder = options.matrix === 'latest' ? await latestMatrix(resolve(options.out)) : resolve(options.matrix)
        const verdict = await checkEvidence({
          folder,
          required: options.requiredTargets,
          file,
          nowMs: context.clock.now(),
          maxAgeMs: options.maxAgeHours * HOUR_MS
        })
        if (context.json) await context.output.json({ ...verdict, folder })
        else await context.output.line(checkText(verdict, folder))
        return verdict.passed ? EXIT.done : EXIT.failed
      })
    )
}

/** A file that is named has to be there; without the usual one there are no keys, and the check says so. */
async function targetsFileOf({ targetsFile }: CheckOptions): Promise<TargetsFile | null> {
  const { readTargetsFile } = await import('../../drill/targets-file.ts')
  const path = resolve(targetsFile ?? TARGETS_FILE)
  if (targetsFile === undefined && !(await isThere(path))) return null
  return await readTargetsFile(path)
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

function checkText({ passed, matrixId, problems, targets }: EvidenceVerdict, folder: string | null): string {
  const about = facts([
    ['matrix', matrixId],
    ['evidence', folder],
    ['outcome', passed ? 'passed' : 'FAILED']
  ])
  const counting = targets.filter((target) => target.passed)
  const good = table(
    [
      { heading: 'TARGET', cell: ({ target }) => target },
      { heading: 'PASSED AT', cell: ({ testTime }) => testTime },
      { heading: 'DRILL', cell: ({ drillId }) => drillId }
    ],
    counting
  )
  const reasons = [
    ...problems.map((problem) => ({ target: '', ...problem })),
    ...targets.flatMap(({ target, problems: own }) => own.map((problem) => ({ target, ...problem })))
  ]
  const bad = table(
    [
      { heading: 'TARGET', cell: ({ target }) => target },
      { heading: 'CODE', cell: ({ code }) => code },
      { heading: 'IN', cell: ({ field }) => field },
      { heading: 'REASON', cell: ({ detail }) => detail }
    ],
    reasons
  )
  return [about, ...(counting.length > 0 ? [good] : []), ...(reasons.length > 0 ? [bad] : [])].join('\n\n')
}
