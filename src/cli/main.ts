import { EXIT } from '../platform/errors.ts'
import { systemClock } from '../platform/clock.ts'
import { systemRandom } from '../platform/random.ts'
import { runCommandLine } from './command-line.ts'
import { listenForSignals } from './interruption.ts'

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
const exitCode = await runCommandLine(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  interruption: listenForSignals(),
  clock: systemClock,
  random: systemRandom
})
// Where everything was closed the process would end by itself; a handle that was left open must not keep it.
await new Promise((resolve) => process.stdout.write('', resolve))
process.exit(exitCode)
