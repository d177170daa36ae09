import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { TimestampVerifier, VerifierResult } from '../../src/timestamps/verifier.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import type { BenchNode } from './workload.ts'
import { announces, caughtUp, ingest, members, openNode } from './workload.ts'

/**
 * What 10,000 timestamp anchors that stay pending cost a node: memory, and the rate at which it takes in other events
 * meanwhile, each with an anchor that is to be verified, too, beside the same node without verifiers. Pairs alternate,
 * so that a machine that slows down slows both. The checks that many events put off come after them.
 */
const PENDING = 10_000
const PER_ANNOUNCE = 16
/** One anchor of each announce is for the verifier that never answers. */
const UNDECIDED = PENDING - PENDING / PER_ANNOUNCE
const EVENTS = 6_000
const SIGNERS = 50
const PAIRS = 7

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const signers = members(SIGNERS)
const waiting = await pendingAnnounces(signers[0] as TestMember)
const events = await announces(signers.slice(1), EVENTS)

interface Run {
  /** Events a second. */
  readonly rate: number
  /** CPU time per event, in microseconds. */
  readonly cpu: number
  /** Checks begun while the events came in. */
  readonly checks: number
}

const runs = { without: [] as Run[], with: [] as Run[] }
const asking = { cpu: [] as number[], heapMiB: [] as number[], rssMiB: [] as number[] }
for (let pair = 0; pair <= PAIRS; pair += 1) {
  for (const which of pair % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)) {
    const run = await measure(which === 'with')
    // The first pair warms the code up.
    if (pair > 0) runs[which].push(run)
  }
}

const ratio = (figure: (run: Run) => number): number =>
  median(runs.with.map((run, index) => figure(run) / figure(runs.without[index] ?? run)))
report('pending', [
  { name: 'events a second, without verifiers', value: median(runs.without.map(({ rate }) => rate)), unit: 'events/s' },
  {
    name: `events a second, ${PENDING} anchors pending`,
    value: median(runs.with.map(({ rate }) => rate)),
    unit: 'events/s'
  },
  { name: 'rate with / without', value: ratio(({ rate }) => rate), unit: 'ratio', bound: 0.9, compare: '>=' },
  { name: 'CPU per event, with / without', value: ratio(({ cpu }) => cpu), unit: 'ratio' },
  { name: 'checks begun meanwhile', value: median(runs.with.map(({ checks }) => checks)), unit: 'checks' },
  { name: 'CPU per first check and its verdict', value: median(asking.cpu), unit: 'µs' },
  // 10,000 keys with what is known of each are about 4 MiB, the projections' own caches as much; twice that is a leak.
  { name: `heap for ${PENDING} pending anchors`, value: median(asking.heapMiB), unit: 'MiB', bound: 16, compare: '<=' },
  // Beside the heap: buffers of LevelDB, which holds 4 MiB of writes twice, and what the heap had before a collection.
  { name: `resident memory, growth`, value: median(asking.rssMiB), unit: 'MiB', bound: 64, compare: '<=' }
])

/** Takes the events in on a node that has the pending anchors in hand already. */
async function measure(withVerifiers: boolean): Promise<Run> {
  const verifier = undecided()
  const bench = await openNode(signers, undefined, { ports: withVerifiers ? { verifiers: [verifier, hanging()] } : {} })
  await ingest(bench.node, waiting)
  if (withVerifiers) await takeInHand(bench, verifier)
  else await bench.node.start()
  const checksBefore = verifier.asked
  const startedMs = performance.now()
  const cpu = await cpuMicroseconds(() => ingest(bench.node, events))
  const seconds = (performance.now() - startedMs) / 1_000
  await bench.end()
  return { rate: EVENTS / seconds, cpu: cpu / EVENTS, checks: verifier.asked - checksBefore }
}

/** Starts the node and waits until it has asked about each pending anchor. */
async function takeInHand({ node }: BenchNode, verifier: { readonly asked: number }): Promise<void> {
  const before = memory()
  const cpu = await cpuMicroseconds(async () => {
    await node.start()
    while (verifier.asked < UNDECIDED) await delay(10)
    await caughtUp(node)
  })
  const after = memory()
  asking.cpu.push(cpu / UNDECIDED)
  asking.heapMiB.push((after.heapUsed - before.heapUsed) / 2 ** 20)
  asking.rssMiB.push((after.rss - before.rss) / 2 ** 20)
}

/** Answers after a moment that a block is not deep enough, or that nobody was reached. */
function undecided(): TimestampVerifier & { asked: number } {
  const verifier = {
    name: 'undecided',
    asked: 0,
    handles: (chainId: string) => !chainId.startsWith('btc:'),
    async verify(): Promise<VerifierResult> {
      verifier.asked += 1
      await delay(2)
      return verifier.asked % 2 === 0
        ? { outcome: 'notYetFinal', depth: 1, needed: 6, retryAfterMs: 0 }
        : { outcome: 'unreachable', code: 'PROVIDER_TIMEOUT', retryAfterMs: 0 }
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
