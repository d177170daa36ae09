import { EncryptedStore } from '../../src/log/encrypted-store.ts'
import type { Store } from '../../src/log/store.ts'
import { ValueCipher } from '../../src/log/value-cipher.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import { announces, ingest, members, openNode } from './workload.ts'

/**
 * What a durable ingest into an encrypted store costs beside one into a plain store: the same events by the door, until
 * every projection shows them. Rounds alternate, and so does which comes first, so that a machine that slows down slows
 * both. Both clocks are looked at: CPU time, which a busy machine changes little, and elapsed time, which is what an
 * operator sees.
 */
const EVENTS = 10_000
const SIGNERS = 50
const ROUNDS = 7

interface Cost {
  readonly cpu: number
  readonly elapsed: number
  readonly storeBytes: number
}

const signers = members(SIGNERS)
const events = await announces(signers, EVENTS)
const key = { id: 1, key: systemRandom.bytes(32) }
const encrypt = (store: Store, name: string): Store =>
  new EncryptedStore(store, new ValueCipher(key, name, systemRandom))

const costs = { plain: [] as Cost[], encrypted: [] as Cost[] }
for (let round = 0; round <= ROUNDS; round += 1) {
  const order = round % 2 === 0 ? (['plain', 'encrypted'] as const) : (['encrypted', 'plain'] as const)
  for (const kind of order) {
    const cost = await ingestInto(kind === 'plain' ? (store) => store : encrypt)
    // The first round warms the code up.
    if (round > 0) costs[kind].push(cost)
  }
}

const middle = (kind: keyof typeof costs, figure: keyof Cost): number => median(costs[kind].map((cost) => cost[figure]))
const ratio = (figure: keyof Cost): number => middle('encrypted', figure) / middle('plain', figure)

report('encryption', [
  { name: 'CPU per event, ingest into a plain store', value: middle('plain', 'cpu'), unit: 'µs' },
  { name: 'CPU per event, ingest into an encrypted store', value: middle('encrypted', 'cpu'), unit: 'µs' },
  { name: 'encrypted / plain, CPU time', value: ratio('cpu'), unit: 'ratio', bound: 1.5, compare: '<=' },
  { name: 'time per event, plain', value: middle('plain', 'elapsed'), unit: 'µs' },
  { name: 'time per event, encrypted', value: middle('encrypted', 'elapsed'), unit: 'µs' },
  { name: 'encrypted / plain, elapsed time', value: ratio('elapsed'), unit: 'ratio', bound: 1.5, compare: '<=' },
  { name: 'encrypted / plain, size of the store', value: ratio('storeBytes'), unit: 'ratio' }
])

async function ingestInto(wrap: (store: Store, name: string) => Store): Promise<Cost> {
  const bench = await openNode(signers, undefined, { wrap })
  const startedMs = performance.now()
  const cpu = await cpuMicroseconds(() => ingest(bench.node, events))
  const elapsed = (performance.now() - startedMs) * 1_000
  const { storeBytes } = (await bench.node.status()).log
  await bench.end()
  return { cpu: cpu / EVENTS, elapsed: elapsed / EVENTS, storeBytes }
}
