import type { VirtualTime } from '../world/virtual-time.ts'

/** Lets virtual time pass, up to `withinUs`, until the task is done; rejects as it does, or where it takes longer. */
export async function runTask<Result>(
  time: VirtualTime,
  what: string,
  withinUs: number,
  task: () => Promise<Result>
): Promise<Result> {
  let outcome:
    { readonly ok: true; readonly result: Result } | { readonly ok: false; readonly error: unknown } | undefined
  time.afterUs(0, null, () => {
    task().then(
      (result) => (outcome = { ok: true, result }),
      (error: unknown) => (outcome = { ok: false, error })
    )
  })
  const endUs = time.nowUs + withinUs
  await time.runUntil(endUs, () => outcome !== undefined)
  if (outcome === undefined) throw new Error(`${what} was not done within ${withinUs / 1_000_000} virtual seconds`)
  if (!outcome.ok) throw outcome.error
  return outcome.result
}
