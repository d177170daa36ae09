import type { Comparison } from '../../simulations/run/compare.ts'
import { differenceText } from '../../simulations/run/replay.ts'
import type { CommandContext } from './command.ts'
import { failureLines, isGood } from './simulate-text.ts'

/** Says whether a run came out the same again, or where it did not, and what failed in it both times. */
export async function tellComparison(
  { json, output }: Pick<CommandContext, 'json' | 'output'>,
  seed: string,
  comparison: Comparison,
  names: readonly [string, string]
): Promise<void> {
  if (comparison.kind === 'same') {
    const { traceHash, end } = comparison
    if (json) await output.json({ seed, outcome: 'same', traceHash, failures: end.failures })
    else {
      await output.line(`seed ${seed}: the same trace, SHA-256 ${traceHash}`)
      if (!isGood(end)) await output.line([`seed ${seed} fails both times:`, ...failureLines(end)].join('\n'))
    }
  } else if (comparison.kind === 'different') {
    if (json) await output.json({ seed, outcome: 'different', difference: comparison.difference })
    else await output.line(`seed ${seed}: ${differenceText(comparison.difference, names)}`)
  } else {
    if (json) await output.json({ seed, outcome: 'broken', detail: comparison.detail })
    else await output.line(`seed ${seed}: ${comparison.detail}`)
  }
}
