import { join } from 'node:path'
import { expect } from 'vitest'
import type { Random } from '../../src/platform/random.ts'
import { temporaryFolder } from '../support/folders.ts'
import { startIngest, writeEvents } from './child.ts'
import { deterministicEvents, inspectFolder } from './disk-node.ts'

/** A process is killed after so many new acknowledgements at most, and after a little more time. */
const MORE_ACKNOWLEDGED_MAX = 80
const DELAY_MS_MAX = 12
const PAD_BYTES = 300

const isId = (line: string): boolean => /^[0-9a-f]{64}$/.test(line)

/**
 * Starts a node process on one folder again and again, and kills it each time after a random number of new
 * acknowledgements and a little random time. After each kill the folder is opened: the log is whole, and everything
 * that was ever acknowledged is in it. At the end every projection comes out the same when it is built anew. Gives how
 * many events were acknowledged.
 */
export async function killAndLook(kills: number, random: Random): Promise<number> {
  const [folder, eventsFolder] = [temporaryFolder(), temporaryFolder()]
  const eventsPath = join(eventsFolder, 'events')
  // More than are acknowledged before the last kill, so that each process is killed in the midst of them.
  writeEvents(eventsPath, await deterministicEvents((kills + 2) * MORE_ACKNOWLEDGED_MAX, PAD_BYTES))
  const acknowledged = new Set<string>()
  for (let kill = 1; kill <= kills; kill += 1) {
    const child = startIngest(folder, eventsPath)
    const killAfter = acknowledged.size + Math.floor(random.fraction() * MORE_ACKNOWLEDGED_MAX)
    const delayMs = random.fraction() * DELAY_MS_MAX
    const reached = Promise.withResolvers<void>()
    child.onLines((count) => {
      if (count >= killAfter) reached.resolve()
    })
    await Promise.race([reached.promise, child.ended])
    const endMs = performance.now() + delayMs
    // A timer is too coarse for a moment within a write.
    while (performance.now() < endMs) await new Promise((resolve) => setImmediate(resolve))
    // While this process waited for its turn the other may have come to the end of the events.
    const said = (await child.kill()).filter((line) => line !== 'done')
    expect(said.filter((line) => !isId(line))).toEqual([])
    for (const id of said) acknowledged.add(id)
    const { ids, findings, rebuilt } = await inspectFolder(folder, { rebuild: kill === kills })
    expect(findings).toMatchObject({ ok: true, problems: [] })
    expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([])
    expect(rebuilt).toBe(true)
  }
  return acknowledged.size
}
