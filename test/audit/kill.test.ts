import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { recordIn, storedAfter } from '../../src/audit/stored.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { temporaryFolder } from '../support/folders.ts'

const KILLS = 8
const MORE_MAX = 900

/** Starts the process, kills it once it has said so much more, and gives all that it had said. */
async function killedAfter(folder: string, from: number, lines: number): Promise<number[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'kill.child.ts'), folder, String(from)])
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
    if (text.split('\n').length > lines) child.kill('SIGKILL')
  })
  await new Promise((ended) => {
    child.once('close', ended)
  })
  expect(errors).toBe('')
  return text.split('\n').slice(0, -1).map(Number)
}

test('whatever was said to be durable is there after a kill, and the chain is whole', async () => {
  const folder = temporaryFolder()
  const random = seededRandom('audit kills')
  let from = 1
  for (let kill = 0; kill < KILLS; kill += 1) {
    const said = await killedAfter(folder, from, 1 + Math.floor(random.fraction() * MORE_MAX))
    const store = await openLevelStore(join(folder, 'store'), { create: false })
    const verification = await verifyAudit(store)
    expect(verification).toMatchObject({ ok: true, problems: [] })
    const subjects: number[] = []
    for await (const { bytes } of storedAfter(store, 0)) subjects.push(Number(recordIn(bytes)?.subject))
    await store.close()
    const first = subjects[0] ?? Infinity
    expect(said.filter((number) => number >= first && !subjects.includes(number))).toEqual([])
    // What retention has dropped stands before all that is kept.
    expect(verification.headSeq - verification.baseSeq).toBe(subjects.length)
    from = Math.max(from, ...said, ...subjects) + 1
  }
})
