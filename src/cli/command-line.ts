import { createVerbRunner } from './command.ts'
import type { Surroundings } from './command.ts'
import { failureOf, failureText } from './failure.ts'
import { Interrupted } from './interruption.ts'
import { createProgram, usageErrorOf } from './program.ts'

/** Runs one command line, says on standard error how it failed, and answers its exit code. */
export async function runCommandLine(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stderr, stdout, interruption } = surroundings
  const json = args.includes('--json')
  const runner = createVerbRunner(surroundings)
  try {
    await createProgram(runner, { json, stdout, stderr }).parseAsync([...args], { from: 'user' })
  } catch (caught) {
    const error = usageErrorOf(caught)
    if (error === null) return 0
    // Work that was interrupted may fail in any way; why it was interrupted is what counts.
    if (!interruption.signal.aborted) {
      const failure = failureOf(error)
      stderr.write(`${failureText(failure, json)}\n`)
      return failure.exitCode
    }
  }
  const reason: unknown = interruption.signal.reason
  return reason instanceof Interrupted ? reason.exitCode : runner.exitCode()
}
