import { setTimeout as delay } from 'node:timers/promises'
import type { TimestampVerifier, VerifierResult } from '../../src/timestamps/verifier.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { median, report } from './report.ts'
import type { BenchNode } from './workload.ts'
import { announces, ingest, members, openNode } from './workload.ts'

/**
 * What 10,000 timestamp anchors that stay pending cost a node: memory, and the rate at which it takes in other events
 * meanwhile, beside the same node without verifiers. Pairs alternate, so that a machine that slows down slows both.
 */
const PENDING = 10_000
const PER_ANNOUNCE = 16
const EVENTS = 6_000
const SIGNERS = 50
const PAIRS = 7

const signers = members(SIGNERS)
const waiting = await pendingAnnounces(signers[0] as TestMember)
const events = await announces(signers.slice(1), EVENTS)

const rates = { without: [] as number[], with: [] as number[] }
const ratios: number[] = []
let growth = Number.NaN
let checks = 0
for (let pair = 0; pair <= PAIRS; pair += 1) {
  const order = pair % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)
  const rate = { without: 0, with: 0 }
  for (const which of order) rate[which] = await measure(which === 'with', pair === PAIRS)
  // The first pair warms the code up.
  if (pair === 0) continue
  rates.without.push(rate.without)
  rates.with.push(rate.with)
  ratios.push(rate.with / rate.without)
}

report('pending', [
  { name: 'events a second, without verifiers', value: median(rates.without), unit: 'events/s' },
  { name: `events a second, ${PENDING} anchors pending`, value: median(rates.with), unit: 'events/s' },
  { name: 'rate with pending anchors / without', value: median(ratios), unit: 'ratio', bound: 0.9, compare: '>=' },
  { name: 'checks begun in the last run', value: checks, unit: 'checks' },
  // 10,000 keys with what is known of each are 4 MiB; the rest is slack of the heap after so many answers.
  { name: `heap that ${PENDING} pending anchors hold`, value: growth / 2 ** 20, unit: 'MiB', bound: 16, compare: '<=' }
])

/** Takes the events in on a node that has the pending anchors already; events a second. */
async function measure(withVerifiers: boolean, last: boolean): Promise<number> {
  const verifier = undecided()
  const ports = withVerifiers ? { verifiers: [verifier, hanging()] } : {}
  const bench = await openNode(signers, undefined, { ports })
  await ingest(bench.node, waiting)
  const heapBefore = heapUsed()
  await bench.node.start()
  if (withVerifiers) await untilAskedOnce(bench, verifier)
  if (withVerifiers && last) growth = heapUsed() - heapBefore
  verifier.asked = 0
  const startedMs = performance.now()
  await ingest(bench.node, events)
  const tookMs = performance.now() - startedMs
  if (withVerifiers) checks = verifier.asked
  await bench.end()
  return (1_000 * EVENTS) / tookMs
}

/** Half of the rows wait for their first answer while the events come in; the others are tried again. */
async function untilAskedOnce({ node }: BenchNode, verifier: { asked: number }): Promise<void> {
  while (verifier.asked < PENDING / 2) await delay(10)
  await node.status()
}

/** Answers after a moment that a block is not deep enough, or that nobody was reached. */
function undecided(): TimestampVerifier & { asked: number } {
  const verifier = {
    name: 'undecided',
    asked: 0,
    handles: (chainId: string) => chainId.startsWith('eip155:'),
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

/** After a collection, where the process allows one. */
function heapUsed(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
