import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { IngestDoor } from '../../src/ingest/door.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { SignatureJob, SignatureVerifiers } from '../../src/platform/signature-verifiers.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import { policyOf } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { median, report } from './report.ts'
import { announces, ingest, members, openNode } from './workload.ts'

/**
 * How many events a second become durable when they come in bulk, chain after chain as a sync brings them, beside what
 * the verification of the same signatures reaches alone on all cores. Rounds alternate.
 */
const EVENTS = 20_000
const SIGNERS = 50
const ROUNDS = 5
/** What a frame of a sync holds, and how many of them are under way at once. */
const GROUP = 256
const GROUPS_UNDER_WAY = 6

const ports = { clock: systemClock, logger: silentLogger }
const signers = members(SIGNERS)
const turns = await announces(signers, EVENTS)
const events = signers.flatMap(({ signer }) => turns.filter(({ envelope }) => envelope.kid === signer.kid))
const jobs = events.map(({ wire }) => jobOf(wire))
const threads = new SignatureThreads(ports)
threads.start()
while (threads.ready === 0) await delay(20)

const rates = { native: [] as number[], inline: [] as number[], door: [] as number[], node: [] as number[] }
const ratios = { door: [] as number[], node: [] as number[] }
const mainCpu = { inline: [] as number[], door: [] as number[], node: [] as number[] }
for (let round = 0; round <= ROUNDS; round += 1) {
  const native = await timed(verifyAll)
  const door = await throughDoor(threads)
  const node = await throughNode()
  const inline = await throughDoor(null)
  // The first round warms the code up.
  if (round === 0) continue
  rates.native.push(native.rate)
  rates.inline.push(inline.rate)
  rates.door.push(door.rate)
  rates.node.push(node.rate)
  ratios.door.push(door.rate / native.rate)
  ratios.node.push(node.rate / native.rate)
  mainCpu.inline.push(inline.mainCpu)
  mainCpu.door.push(door.mainCpu)
  mainCpu.node.push(node.mainCpu)
}
await threads.close()

report('bulk', [
  { name: 'signatures verified alone, all cores', value: median(rates.native), unit: '/s' },
  { name: 'door and log, verified in the main thread', value: median(rates.inline), unit: 'events/s' },
  { name: 'door and log, verified by threads', value: median(rates.door), unit: 'events/s' },
  { name: 'the same / signatures alone', value: median(ratios.door), unit: 'ratio' },
  { name: 'import with all projections, verified by threads', value: median(rates.node), unit: 'events/s' },
  { name: 'the same / signatures alone', value: median(ratios.node), unit: 'ratio' },
  { name: 'CPU of the main thread: door and log, verified in it', value: median(mainCpu.inline), unit: 'µs/event' },
  { name: 'CPU of the main thread: door and log, threads', value: median(mainCpu.door), unit: 'µs/event' },
  { name: 'CPU of the main thread: import, threads', value: median(mainCpu.node), unit: 'µs/event' }
])

interface Timed {
  /** Events a second. */
  readonly rate: number
  /** Microseconds an event. */
  readonly mainCpu: number
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const cpu = process.threadCpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.threadCpuUsage(cpu)
  return { rate: EVENTS / seconds, mainCpu: (user + system) / EVENTS }
}

async function verifyAll(): Promise<void> {
  const verdicts = await inGroups(jobs, (group) => threads.verify(group))
  if (verdicts.flat().includes(false)) throw new Error('a signature is bad')
}

/** The door and the log without projections, as where they fold what a bulk load brought afterwards. */
async function throughDoor(signatureVerifiers: SignatureVerifiers | null): Promise<Timed> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  const store = await openLevelStore(join(folder, 'store'), { create: true })
  const log = await openLog({ ...ports, store, checkpoint: memoryCheckpoint(), random: systemRandom })
  const policy = viewPolicy(policyOf(signers[0] as TestMember, signers))
  const door = new IngestDoor({
    ...ports,
    log,
    keyring: new Keyring(),
    policy: () => policy,
    futureSkewMs: () => 120_000,
    ...(signatureVerifiers === null ? {} : { signatureVerifiers })
  })
  const source = { via: 'sync', peer: 'bench' } as const
  const result = await timed(async () => {
    await inGroups(events, (group) => Promise.all(group.map(({ wire }) => door.submit(wire, source))))
  })
  if (door.status().outcomes['accepted'] !== EVENTS) throw new Error(JSON.stringify(door.status()))
  await log.close()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
  return result
}

async function throughNode(): Promise<Timed> {
  const signatureVerifiers: SignatureVerifiers = { verify: (group) => threads.verify(group), close: async () => {} }
  const bench = await openNode(signers, undefined, { ports: { signatureVerifiers } })
  const result = await timed(() => ingest(bench.node, events))
  await bench.end()
  return result
}

/** Works at groups in their order, some of them at once. */
async function inGroups<Item, Result>(
  items: readonly Item[],
  work: (group: readonly Item[]) => Promise<Result>
): Promise<Result[]> {
  const results: Promise<Result>[] = []
  for (let from = 0; from < items.length; from += GROUP) {
    results.push(work(items.slice(from, from + GROUP)))
    await results.at(-GROUPS_UNDER_WAY)
  }
  return await Promise.all(results)
}

function jobOf(wire: Uint8Array): SignatureJob {
  const decoded = decodeEvent(wire)
  const signature = decoded.ok ? decoded.event.signatures[0] : undefined
  const author = signers.find(({ signer }) => signer.kid === signature?.kid)
  if (!decoded.ok || signature === undefined || author === undefined) throw new Error('no event of the bench')
  const key = restorePublicKey(author.signer.publicKey)
  return { key, protected: signature.protected, payload: decoded.event.canonical, signature: signature.signature }
}
