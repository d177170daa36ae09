import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { fromHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey, restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type { SignatureThreadsDeps } from '../../src/platform/signature-threads.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { SignatureJob } from '../../src/platform/signature-verifiers.ts'
import { verifyJob } from '../../src/platform/signature-verifiers.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'
import { keyOf } from '../protocols/vectors/vector-file.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { HandClock } from '../support/hand-clock.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import { until } from '../support/until.ts'

interface Opened {
  readonly threads: SignatureThreads
  readonly clock: HandClock
  readonly lines: LogLine[]
  readonly workers: Worker[]
}

const opened = new Set<SignatureThreads>()

afterEach(async () => {
  for (const threads of opened) await threads.close()
  opened.clear()
})

const PROGRAM = new URL('../../src/platform/signature-thread.ts', import.meta.url)

/** Two threads, ready unless `start` is given. */
async function open(deps: Partial<SignatureThreadsDeps> = {}): Promise<Opened> {
  const clock = createHandClock()
  const lines: LogLine[] = []
  const workers: Worker[] = []
  const start = (): Worker => {
    const worker = new Worker(PROGRAM)
    workers.push(worker)
    return worker
  }
  const threads = new SignatureThreads({ clock, logger: recordingLogger(lines), threads: 2, start, ...deps })
  opened.add(threads)
  threads.start()
  if (deps.start === undefined) await ready(threads, 2)
  return { threads, clock, lines, workers }
}

async function ready(threads: SignatureThreads, count: number): Promise<void> {
  await until(`${count} threads are ready`, () => threads.ready === count)
}

const signer = keyOf('signature threads')
const key = restorePublicKey(signer.publicKey)

/** Jobs of which every third is bad, with and without a header. */
function someJobs(count: number, payloadBytes: number = 40): SignatureJob[] {
  return Array.from({ length: count }, (_, index) => {
    const payload = Buffer.alloc(payloadBytes, index)
    const header = index % 2 === 0 ? `header${index}` : null
    const signed = header === null ? payload : Buffer.concat([utf8(`${header}.`), payload])
    const signature = signer.sign(index % 3 === 0 ? utf8('another message') : signed)
    return { key, protected: header, payload, signature }
  })
}

const expected = (jobs: readonly SignatureJob[]): boolean[] => jobs.map((_, index) => index % 3 !== 0)

describe('signature threads', () => {
  test('answer in the order of the jobs, whatever their number and size', async () => {
    const { threads, lines } = await open()
    for (const count of [0, 1, 3, 4, 5, 16, 255, 256, 257, 1_000]) {
      const jobs = someJobs(count)
      expect(await threads.verify(jobs)).toEqual(expected(jobs))
    }
    const large = someJobs(60, 45_000)
    expect(await threads.verify(large)).toEqual(expected(large))
    const groups = Array.from({ length: 12 }, () => large)
    for (const verdicts of await Promise.all(groups.map((jobs) => threads.verify(jobs))))
      expect(verdicts).toEqual(expected(large))
    expect(lines).toEqual([])
  })

  test('until one is ready the calling thread answers', async () => {
    const { threads } = await open({ start: () => new Worker(PROGRAM) })
    expect(threads.ready).toBe(0)
    const jobs = someJobs(20)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    expect(threads.ready).toBe(0)
    await ready(threads, 2)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
  })

  test('when all of them are killed at work, every job is answered, and the next group starts others', async () => {
    const { threads, lines, workers } = await open()
    const jobs = someJobs(1_000)
    const answered = threads.verify(jobs)
    await Promise.all(workers.map((worker) => worker.terminate()))
    expect(await answered).toEqual(expected(jobs))
    expect(threads.ready).toBe(0)
    expect(lines.map(({ level, fields }) => [level, fields['reason']])).toEqual([
      ['warn', 'it was ended from outside'],
      ['warn', 'it was ended from outside']
    ])
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    await ready(threads, 2)
    expect(workers.length).toBe(4)
  })

  test('what a thread took before it crashed is done all the same', async () => {
    const crashes = `
      const { parentPort } = require('node:worker_threads')
      parentPort.on('message', ({ shared }) => {
        Atomics.add(new Int32Array(shared, 0, 3), 1, 4)
        throw new Error('crash')
      })
      parentPort.postMessage('ready')`
    let started = 0
    const start = (): Worker => {
      started += 1
      return started === 1 ? new Worker(crashes, { eval: true }) : new Worker(PROGRAM)
    }
    const { threads, lines } = await open({ start })
    await ready(threads, 2)
    const jobs = someJobs(100)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    await until('the crash is told', () => lines.length > 0)
    expect(lines).toMatchObject([{ level: 'warn', fields: { reason: 'crash' } }])
    expect(threads.ready).toBe(1)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    await ready(threads, 2)
  })

  test.each<[string, () => Worker]>([
    ['ends before it is ready', () => new Worker('process.exit(1)', { eval: true })],
    [
      'can not be made',
      () => {
        throw new Error('no threads here')
      }
    ]
  ])('one that %s is not tried again at once, and the calling thread answers', async (_, fails) => {
    let tried = 0
    const start = (): Worker => {
      tried += 1
      return fails()
    }
    const { threads, clock, lines } = await open({ start })
    await until('the failure is told', () => lines.length === tried)
    const before = tried
    const jobs = someJobs(20)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    expect(tried).toBe(before)
    await clock.advance(60_000)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    expect(tried).toBeGreaterThan(before)
  })

  test('end when nothing has come for a while, and start again', async () => {
    const { threads, clock, workers, lines } = await open()
    const jobs = someJobs(20)
    await clock.advance(29_999)
    await threads.verify(jobs)
    await clock.advance(29_999)
    expect(threads.ready).toBe(2)
    await clock.advance(1)
    expect(threads.ready).toBe(0)
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    await ready(threads, 2)
    expect(workers.length).toBe(4)
    expect(lines).toEqual([])
  })

  test('closing answers what is under way; what is asked later is answered in the calling thread', async () => {
    const { threads, clock, workers, lines } = await open()
    const jobs = someJobs(1_000)
    const answered = threads.verify(jobs)
    await Promise.all([threads.close(), threads.close()])
    expect(await answered).toEqual(expected(jobs))
    expect(await threads.verify(jobs)).toEqual(expected(jobs))
    expect([threads.ready, workers.length, clock.pendingTimers(), lines.length]).toEqual([0, 2, 0, 0])
  })

  test('a process waits for their answers, and not for them', () => {
    const program = join(import.meta.dirname, 'threads-program.ts')
    const output = execFileSync(process.execPath, [program], { encoding: 'utf8', timeout: 120_000 })
    expect(output).toBe('100\n')
  })
})

/** The verdict of threads on each job is that of this thread. */
async function expectSame(jobs: readonly SignatureJob[]): Promise<void> {
  const { threads } = await open()
  expect(jobs.length).toBeGreaterThan(0)
  expect(await threads.verify(jobs)).toEqual(jobs.map(verifyJob))
}

function job(publicKey: string, payload: Uint8Array, signature: string): SignatureJob[] {
  const check = checkPublicKey(fromHex(publicKey) as Uint8Array)
  // No weak key gets as far as here.
  if (!check.ok) return []
  return [{ key: check.key, protected: null, payload, signature: fromHex(signature) as Uint8Array }]
}

describeThirdParty('ed25519/wycheproof', (folder) => {
  type Group = { publicKey: { pk: string }; tests: { msg: string; sig: string }[] }
  const { testGroups } = readJson(folder, 'ed25519_test.json') as { testGroups: Group[] }

  test('threads give the same verdicts', async () => {
    await expectSame(
      testGroups.flatMap(({ publicKey, tests }) =>
        tests.flatMap(({ msg, sig }) => job(publicKey.pk, fromHex(msg) as Uint8Array, sig))
      )
    )
  })
})

describeThirdParty('ed25519/cctv', (folder) => {
  const cases = readJson(folder, 'ed25519vectors.json') as { key: string; sig: string; msg: string }[]

  test('threads give the same verdicts', async () => {
    await expectSame(cases.flatMap(({ key: publicKey, sig, msg }) => job(publicKey, utf8(msg), sig)))
  })
})
