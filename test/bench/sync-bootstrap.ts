import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { fromOwnLog } from '../../src/events/verified.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { SignatureJob } from '../../src/platform/signature-verifiers.ts'
import type { SignedEvent } from '../support/events.ts'
import type { Figure } from './report.ts'
import { announces, members, openNode } from './workload.ts'

/**
 * A new node that gets everything from one peer, each a process of its own, over TCP on this machine; beside it what
 * verifying the same signatures alone reaches on all cores.
 */
const SIZES = [25_000, 100_000] as const
const SIGNERS = 50
const signers = members(SIGNERS)
const ports = { clock: systemClock, random: systemRandom, logger: silentLogger }

/** What the bench reports of bootstrapping. */
export async function bootstrapFigures(): Promise<Figure[]> {
  const figures: Figure[] = []
  const peaks: number[] = []
  const events = await announces(signers, SIZES[1])
  for (const size of SIZES) {
    const part = events.slice(0, size)
    const native = await nativeRate(part)
    const { durable, queryable, peakMiB, cpu } = await bootstrap(part)
    peaks.push(peakMiB)
    const what = `bootstrap of ${size} events`
    const isMeant = size === SIZES[1]
    figures.push(
      { name: `${what}: signatures alone, all cores`, value: native, unit: '/s' },
      { name: `${what}: until durable`, value: durable, unit: 'events/s' },
      { name: `${what}: until all projections show them`, value: queryable, unit: 'events/s' },
      {
        name: `${what}: until durable / signatures alone`,
        value: durable / native,
        unit: 'ratio',
        ...(isMeant ? ({ bound: 0.8, compare: '>=' } as const) : {})
      },
      { name: `${what}: CPU of the receiving node, all threads`, value: cpu, unit: 'µs/event' },
      { name: `${what}: greatest resident memory`, value: peakMiB, unit: 'MiB' }
    )
  }
  figures.push({ name: 'memory, four times the events', value: (peaks[1] ?? 0) / (peaks[0] ?? 1), unit: 'ratio' })
  return figures
}

async function nativeRate(events: readonly SignedEvent[]): Promise<number> {
  const threads = new SignatureThreads(ports)
  threads.start()
  while (threads.ready === 0) await delay(20)
  const keys = new Map(signers.map(({ signer }) => [signer.kid, restorePublicKey(signer.publicKey)]))
  const jobs = events.map(({ wire }): SignatureJob => {
    const decoded = decodeEvent(wire)
    const signature = decoded.ok ? decoded.event.signatures[0] : undefined
    const key = keys.get(signature?.kid ?? '')
    if (!decoded.ok || signature === undefined || key === undefined) throw new Error('no event of the bench')
    return { key, protected: signature.protected, payload: decoded.event.canonical, signature: signature.signature }
  })
  const began = performance.now()
  const underWay: Promise<readonly boolean[]>[] = []
  for (let from = 0; from < jobs.length; from += 256) {
    underWay.push(threads.verify(jobs.slice(from, from + 256)))
    await underWay.at(-8)
  }
  const verdicts = (await Promise.all(underWay)).flat()
  const seconds = (performance.now() - began) / 1_000
  await threads.close()
  if (verdicts.includes(false)) throw new Error('a signature is bad')
  return jobs.length / seconds
}

interface Bootstrap {
  readonly durable: number
  readonly queryable: number
  readonly peakMiB: number
  readonly cpu: number
}

async function bootstrap(events: readonly SignedEvent[]): Promise<Bootstrap> {
  const made = await openNode(signers)
  await made.node.close()
  await append(made.folder, events)
  const server = peerProcess('serve', made.folder)
  try {
    const address = await firstLineOf(server)
    return JSON.parse(await firstLineOf(peerProcess('receive', address, String(events.length)))) as Bootstrap
  } finally {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.stdin?.end()
    await ended
    rmSync(made.folder, { recursive: true, force: true })
  }
}

function peerProcess(...what: readonly string[]): ChildProcess {
  const path = join(import.meta.dirname, 'sync-peer.ts')
  return spawn(process.execPath, [path, ...what], { stdio: ['pipe', 'pipe', 'inherit'] })
}

async function firstLineOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the process has no output')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('the process ended without a word')
}

async function append(data: string, events: readonly SignedEvent[]): Promise<void> {
  const store = await openLevelStore(join(data, 'store'), { create: false })
  const log = await openLog({ ...ports, store, checkpoint: checkpointFile(join(data, 'store.json')) })
  for (let from = 0; from < events.length; from += 2_048) {
    const appending = events.slice(from, from + 2_048).map(({ wire }) => {
      const decoded = decodeEvent(wire)
      if (!decoded.ok) throw new Error(decoded.detail)
      return log.append([{ scope: 'shared', event: fromOwnLog(decoded.event) }])
    })
    await Promise.all(appending)
  }
  await log.close()
  await store.close()
}
