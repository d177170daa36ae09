import { join } from 'node:path'
import type { FailureAt } from '../run/jobs.ts'
import { loadScenario } from '../run/load.ts'
import { jobOf } from '../run/spawn-runs.ts'
import { spawnRun } from '../run/spawn.ts'
import type { PlantedBug } from './bugs.ts'
import { withPlanted } from './plant.ts'

/** What came of looking for a bug. */
export interface Hunt {
  readonly bug: PlantedBug
  /** The first run in which its check failed, with all that did; `null`: there was none. */
  readonly found: { readonly seed: string; readonly failures: readonly FailureAt[] } | null
  readonly runs: number
}

/** Looks for the bug in runs of its scenario. */
export async function hunt(bug: PlantedBug, seeds: readonly string[]): Promise<Hunt> {
  return await withPlanted(bug.name, async (folder) =>
    search(bug, seeds, async (seed) => runIn(folder, bug.scenario, seed))
  )
}

/** Makes runs with one seed after the other until the bug's check fails: that another one does proves nothing of it. */
export async function search(
  bug: PlantedBug,
  seeds: readonly string[],
  run: (seed: string) => Promise<readonly FailureAt[]>
): Promise<Hunt> {
  let runs = 0
  for (const seed of seeds) {
    runs += 1
    const failures = await run(seed)
    if (failures.some(({ check }) => check === bug.check)) return { bug, found: { seed, failures }, runs }
  }
  return { bug, found: null, runs }
}

/** Runs a scenario of this folder without any bug, with each of the seeds; resolves with what failed. */
export async function runClean(scenario: string, seeds: readonly string[]): Promise<readonly FailureAt[]> {
  return await withPlanted(null, async (folder) => {
    const failures: FailureAt[] = []
    for (const seed of seeds) failures.push(...(await runIn(folder, scenario, seed)))
    return failures
  })
}

/**
 * Runs a scenario of this folder by the program in `folder`; resolves with what failed. A run that is broken rejects: no
 * check has looked at it, so it neither finds a bug nor shows that there is none.
 */
export async function runIn(folder: string, scenario: string, seed: string): Promise<readonly FailureAt[]> {
  const loaded = await loadScenario(join(import.meta.dirname, 'scenarios', `${scenario}.yaml`))
  const end = await spawnRun(jobOf(loaded, seed), { root: folder })
  if (end.kind === 'broken') throw new Error(`the run of ${scenario} with seed ${seed} is broken: ${end.detail}`)
  return end.failures
}
