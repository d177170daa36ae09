import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import type { RunJob } from '../../../simulations/run/jobs.ts'
import { jobOf, spawnRuns } from '../../../simulations/run/spawn-runs.ts'
import { loadScenario, settingOf } from '../../../simulations/run/load.ts'

const CLAIMS = pathToFileURL(join(import.meta.dirname, 'claims.ts')).href

// The machines that tests have to pass on have two cores.
const SIDE_BY_SIDE = 2

/** Runs of a scenario that also look whether it shows what it asks about. */
export async function claimedJobs(
  scenario: string,
  seeds: readonly string[],
  settings: readonly string[] = []
): Promise<readonly RunJob[]> {
  const loaded = await loadScenario(scenario, settings.map(settingOf))
  return seeds.map((seed) => jobOf(loaded, seed, { extensions: [CLAIMS] }))
}

/** What is wrong with the runs, by their seeds; nothing is left of those in which nothing is. */
export async function whatIsWrong(jobs: readonly RunJob[]): Promise<Readonly<Record<string, unknown>>> {
  const wrong: Record<string, unknown> = {}
  for await (const { job, end } of spawnRuns(jobs, { parallel: SIDE_BY_SIDE })) {
    if (end.kind === 'broken') wrong[job.seed] = end.detail
    else if (end.failures.length > 0) wrong[job.seed] = end.failures
  }
  return wrong
}
