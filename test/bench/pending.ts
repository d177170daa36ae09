import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { AnchormeshNode } from '../../src/node.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../../src/timestamps/verifier.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import type { BenchNode } from './workload.ts'
import { announces, caughtUp, ingest, members, openNode } from './workload.ts'

/**
 * What 10,000 timestamp anchors that stay pending cost a node: memory, and the rate at which it takes in other events
 * meanwhile. Both nodes of a pair open a copy of one folder, in which each of the anchors was asked about already and the
 * verdicts are logged, and both are started; one has no verifiers. Each event that is taken in brings an anchor that is
 * to be verified, many more than are checked meanwhile, so the worker has something to do all the time. Pairs alternate,
 * so that a machine that slows down slows both.
 */
const PENDING = 10_000
const PER_ANNOUNCE = 16
/** One anchor of each announce is for the verifier that never answers. */
const UNDECIDED = PENDING - PENDING / PER_ANNOUNCE
const EVENTS = 10_000
const SIGNERS = 50
const PAIRS = 11
/** LevelDB merges what it finds when it opens; that is no part of what follows. */
const SETTLE_MS = 500

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const signers = members(SIGNERS)
const events = await announces(signers.slice(1), EVENTS)

interface Run {
  /** Events per second of CPU time, of all threads. */
  readonly perCpu: number
  /** Events per second. */
  readonly rate: number
  /** Checks begun while the events came in. */
  readonly checks: number
}

const runs = { without: [] as Run[], with: [] as Run[] }
const again = { cpu: [] as number[], heapMiB: [] as number[], rssMiB: [] as number[] }
const folder = await mkdtemp(join(tmpdir(), 'anchormesh-bench-'))
const firstCheck = await prepare(join(folder, 'asked'))
for (let pair = 0; pair <= PAIRS; pair += 1) {
  for (const which of pair % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)) {
    const run = await measure(which === 'with')
    // The first pair warms the code up.
    if (pair > 0) runs[which].push(run)
  }
}
await rm(folder, { recursive: true })

const middle = (of: readonly Run[], figure: keyof Run): number => median(of.map((run) => run[figure]))
const ratio = (figure: keyof Run): number => middle(runs.with, figure) / middle(runs.without, figure)
report('pending', [
  { name: 'events per CPU second, without verifiers', value: middle(runs.without, 'perCpu'), unit: 'events/s' },
  { name: `events per CPU second, ${PENDING} anchors pending`, value: middle(runs.with, 'perCpu'), unit: 'events/s' },
  // The bound is for this one: ingest is limited by the processor, and other work on the machine takes none of it.
  { name: 'rate per CPU second, with / without', value: ratio('perCpu'), unit: 'ratio', bound: 0.9, compare: '>=' },
  { name: 'rate by the clock, without verifiers', value: middle(runs.without, 'rate'), unit: 'events/s' },
  { name: `rate by the clock, ${PENDING} anchors pending`, value: middle(runs.with, 'rate'), unit: 'events/s' },
  { name: 'rate by the clock, with / without', value: ratio('rate'), unit: 'ratio' },
  { name: 'checks begun meanwhile', value: middle(runs.with, 'checks'), unit: 'checks' },
  { name: 'anchors left for later', value: EVENTS - middle(runs.with, 'checks'), unit: 'anchors' },
  { name: 'CPU per first check and its verdict', value: firstCheck, unit: 'µs' },
  { name: 'CPU per check that finds nothing new', value: median(again.cpu), unit: 'µs' },
  // 10,000 keys with what is known of each are about 4 MiB, the projections' own caches as much; twice that is a leak.
  { name: `heap for ${PENDING} pending anchors`, value: median(again.heapMiB), unit: 'MiB', bound: 16, compare: '<=' },
  // Beside the heap: buffers of LevelDB, which holds 4 MiB of writes twice, and what the heap had before a collection.
  { name: `resident memory, growth`, value: median(again.rssMiB), unit: 'MiB', bound: 64, compare: '<=' }
])

/** Leaves a folder whose log holds the pending anchors and the verdicts on them; returns the CPU per verdict, in µs. */
async function prepare(at: string): Promise<number> {
  const verifier = undecided()
  const { node } = await openNode(signers, at, { ports: { verifiers: [verifier, hanging()] } })
  await ingest(node, await pendingAnnounces(signers[0] as TestMember))
  const cpu = await cpuMicroseconds(() => allAsked(node, verifier))
  await node.close()
  return cpu / UNDECIDED
}

/** Takes the events in on a node that has the pending anchors in hand already, or has no worker. */
async function measure(withVerifiers: boolean): Promise<Run> {
  const at = join(folder, 'run')
  await cp(join(folder, 'asked'), at, { recursive: true })
  const verifier = undecided()
  const bench = await openNode(signers, at, { ports: withVerifiers ? { verifiers: [verifier, hanging()] } : {} })
  if (withVerifiers) await takeInHand(bench, verifier)
  else await bench.node.start()
  await delay(SETTLE_MS)
  collectGarbage()
  const checksBefore = verifier.asked
  const startedMs = performance.now()
  const cpu = await cpuMicroseconds(() => ingest(bench.node, events))
  const seconds = (performance.now() - startedMs) / 1_000
  const checks = verifier.asked - checksBefore
  await bench.end()
  return { perCpu: EVENTS / (cpu / 1_000_000), rate: EVENTS / seconds, checks }
}

async function takeInHand({ node }: BenchNode, verifier: { readonly asked: number }): Promise<void> {
  const before = memory()
  const cpu = await cpuMicroseconds(() => allAsked(node, verifier))
  const after = memory()
  again.cpu.push(cpu / UNDECIDED)
  again.heapMiB.push((after.heapUsed - before.heapUsed) / 2 ** 20)
  again.rssMiB.push((after.rss - before.rss) / 2 ** 20)
}

/** Starts the node and waits until it has asked about each pending anchor. */
async function allAsked(node: AnchormeshNode, verifier: { readonly asked: number }): Promise<void> {
  await node.start()
  while (verifier.asked < UNDECIDED) await delay(10)
  await caughtUp(node)
}

/**
 * Answers after a moment that a block is not deep enough, or that nobody was reached: the same of an anchor each time,
 * and that it is not to be asked again soon.
 */
function undecided(): TimestampVerifier & { asked: number } {
  const retryAfterMs = 60 * 60_000
  const verifier = {
    name: 'undecided',
    asked: 0,
    handles: (chainId: string) => !chainId.startsWith('btc:'),
    async verify({ timestampAnchor }: VerifierRequest): Promise<VerifierResult> {
      verifier.asked += 1
      await delay(2)
      return 'txHash' in timestampAnchor && timestampAnchor.txHash < '8'
        ? { outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs }
        : { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs }
    }
  }
  return verifier
}

/** Answers when it is called off. */
function hanging(): TimestampVerifier {
  return {
    name: 'hanging',
    handles: (chainId) => chainId.startsWith('btc:'),
    verify: (_request, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
  }
}

/** Announces of one signer with the pending anchors: most on an EVM chain, one of each announce on Bitcoin. */
async function pendingAnnounces(signer: TestMember): Promise<readonly SignedEvent[]> {
  const all: SignedEvent[] = []
  for (let index = 0; index * PER_ANNOUNCE < PENDING; index += 1) {
    const hash = (at: number): string => sha256Hex(`pending ${index} ${at}`)
    const evm = Array.from({ length: PER_ANNOUNCE - 1 }, (_, at) => ({
      chainId: 'eip155:1',
      txHash: hash(at),
      blockNumber: 9,
      carriedIn: 'calldata'
    }))
    const token = hash(PER_ANNOUNCE)
    const btc = { chainId: 'btc:mainnet', txid: token, blockHash: token, blockHeight: 7, otsProof: { blob: token } }
    const batchId = `pending-${index}`
    const body = { batchId, batchRoot: sha256Hex(batchId), receiptCount: 1, timestampAnchors: [...evm, btc] }
    all.push(await next(signer, all.at(-1) ?? null, body))
  }
  return all
}

function memory(): { readonly heapUsed: number; readonly rss: number } {
  collectGarbage()
  return process.memoryUsage()
}
