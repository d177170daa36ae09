import { appendFileSync } from 'node:fs'
import { TraceWriter } from '../../../simulations/results/trace-writer.ts'
import { assembleRun } from '../../../simulations/run/assemble.ts'
import { CheckRounds } from '../../../simulations/run/check-rounds.ts'
import { runScenario } from '../../../simulations/run/run.ts'
import { scenarioSchema } from '../../../simulations/scenario/schema.ts'
import type { ScenarioFile } from '../../../simulations/scenario/schema.ts'
import { world } from '../../../simulations/world/world.ts'

/** Runs a scenario and writes its trace with all frames, and where it is told to, without checks, or collecting garbage. */
const [text = '', path = '', ...how] = process.argv.slice(2)
const file = JSON.parse(text) as ScenarioFile
const { time } = world
const about = {
  scenario: file,
  files: {},
  seed: '1',
  extensions: [],
  traceFrames: true,
  nodeVersion: '',
  commit: null,
  version: ''
}
const trace = new TraceWriter({ time, frames: true, write: (bytes) => appendFileSync(path, bytes) })
const parts = await assembleRun({
  scenario: scenarioSchema.parse(file),
  about,
  extensions: [],
  trace,
  onProgress: () => {}
})

// No multiple of anything that the nodes or the scenario wait for.
const EVERY_US = 173_211
let looks = 0
const look = (): void => {
  looks += 1
  if (how.includes('garbage')) globalThis.gc?.({ type: looks % 4 === 0 ? 'major' : 'minor', execution: 'sync' })
  time.afterUs(EVERY_US, null, look)
}
look()
await runScenario(how.includes('unchecked') ? { ...parts, rounds: new CheckRounds(parts.run, []) } : parts)
process.stdout.write(JSON.stringify({ hash: trace.finish().hash, failures: parts.run.failures }))
process.exit(0)
