import { EXIT } from '../platform/errors.ts'
import { systemClock } from '../platform/clock.ts'
import { systemRandom } from '../platform/random.ts'
import { createVerbRunner } from './command.ts'
import { failureOf, failureText } from './failure.ts'
import { Interrupted, listenForSignals } from './interruption.ts'
import { createProgram, usageErrorOf } from './program.ts'

/** Runs the command line of this process and answers its exit code. */
async function main(): Promise<number> {
  const json = process.argv.includes('--json')
  const interruption = listenForSignals()
  const runner = createVerbRunner({
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    interruption,
    clock: systemClock,
    random: systemRandom
  })
  try {
    await createProgram(runner, { json }).parseAsync()
  } catch (caught) {
    const error = usageErrorOf(caught)
    if (error === null) return 0
    // Work that was interrupted may fail in any way; why it was interrupted is what counts.
    if (!interruption.signal.aborted) {
      const failure = failureOf(error)
      process.stderr.write(`${failureText(failure, json)}\n`)
      return failure.exitCode
    }
  }
  const reason: unknown = interruption.signal.reason
  return reason instanceof Interrupted ? reason.exitCode : runner.exitCode()
}

const HOUR_MS = 3_600_000

async function stayAlive(): Promise<never> {
  for (;;) await systemClock.sleep(HOUR_MS)
}

// `anchormesh --help | head`: a reader that has gone is no failure. Work under way is interrupted by its own output.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

// Until the command is done: a process that ends for want of anything to wait for has not done its work…
process.exitCode = EXIT.failed
// …and it must not end so: a command may wait for a timer that keeps no process alive.
void stayAlive()
const exitCode = await main()
// Where everything was closed the process would end by itself; a handle that was left open must not keep it.
await new Promise((resolve) => process.stdout.write('', resolve))
process.exit(exitCode)
