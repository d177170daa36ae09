import type { Command } from 'commander'
import type { RegisterVerb } from '../command.ts'
import { registerDrillCheck } from './drill-check.ts'
import { registerDrillMatrix } from './drill-matrix.ts'
import { registerDrillRun } from './drill-run.ts'

/** `anchormesh drill run | matrix | check`: shows that federation over HTTP works, and that it did. */
export const registerDrill: RegisterVerb = (program, runner) => {
  const drill: Command = program
    .command('drill')
    .summary('try a node as an external node would, and check the evidence')
    .description(
      'Before a release: `run` acts as an external node towards one target and writes a report, `matrix` does so ' +
        'towards several, `check` verifies what they left, as CI does. None of them needs a data folder.'
    )
  registerDrillRun(drill, runner)
  registerDrillMatrix(drill, runner)
  registerDrillCheck(drill, runner)
}
