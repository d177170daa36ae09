import { verify, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeEvent, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { cpuMicroseconds, median, report } from './report.ts'
import { announces, ingest, members, openNode } from './workload.ts'

/**
 * What a durable ingest costs beside what it can't do without: one native signature verification, and an event's share
 * of a raw synced LevelDB batch of the same bytes in groups of the same size. Rounds alternate, so that a machine that
 * slows down slows both.
 */
const EVENTS = 20_000
const SIGNERS = 50
const ROUNDS = 5
/** As many as an import has in flight, and so as many as share a synced write there. */
const GROUP = 256

const signers = members(SIGNERS)
const events = await announces(signers, EVENTS)
const inputs = signingInputs(events, signers)

const ratios: number[] = []
const costs = { ingest: [] as number[], verify: [] as number[], batch: [] as number[] }
for (let round = 0; round <= ROUNDS; round += 1) {
  const verifying = (await cpuMicroseconds(verifyAll)) / EVENTS
  const batching = (await cpuMicroseconds(writeRaw)) / EVENTS
  const bench = await openNode(signers)
  const ingesting = (await cpuMicroseconds(() => ingest(bench.node, events))) / EVENTS
  await bench.end()
  // The first round warms the code up.
  if (round === 0) continue
  costs.verify.push(verifying)
  costs.batch.push(batching)
  costs.ingest.push(ingesting)
  ratios.push(ingesting / (verifying + batching))
}

const copies = await openNode(signers)
const repeated = events.slice(0, 2_000).flatMap((event) => [event, event, event])
await ingest(copies.node, repeated)
const { signaturesVerified, outcomes } = (await copies.node.status()).ingest
await copies.end()

report('ingest', [
  { name: 'CPU per event, durable ingest with projections', value: median(costs.ingest), unit: 'µs' },
  { name: 'CPU per native crypto.verify', value: median(costs.verify), unit: 'µs' },
  { name: 'CPU per event, raw synced LevelDB batch', value: median(costs.batch), unit: 'µs' },
  { name: 'ingest / (verify + batch)', value: median(ratios), unit: 'ratio', bound: 1.5, compare: '<=' },
  {
    name: 'signature verifications, 2,000 events received three times each',
    value: signaturesVerified,
    unit: 'verifications',
    bound: 2_000,
    compare: '<='
  },
  { name: 'of those accepted', value: outcomes['accepted'] ?? 0, unit: 'events', bound: 2_000, compare: '>=' }
])

function signingInputs(
  all: readonly SignedEvent[],
  authors: readonly TestMember[]
): { key: KeyObject; input: Uint8Array; signature: Uint8Array }[] {
  const keys = new Map(
    authors.map(({ signer }) => {
      const x = Buffer.from(signer.publicKey).toString('base64url')
      return [signer.kid, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })]
    })
  )
  return all.map(({ wire }) => {
    const decoded = decodeEvent(wire)
    if (!decoded.ok) throw new Error(decoded.detail)
    const { envelope, canonical, signatures } = decoded.event
    const key = keys.get(envelope.kid)
    const signature = signatures[0]?.signature
    if (key === undefined || signature === undefined) throw new Error('an event without a key')
    return { key, input: eventSigningInput(envelope.type, envelope.kid, canonical), signature }
  })
}

async function verifyAll(): Promise<void> {
  for (const { key, input, signature } of inputs)
    if (!verify(null, input, key, signature)) throw new Error('a signature is bad')
}

async function writeRaw(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  const store = await openLevelStore(join(folder, 'store'), { create: true })
  for (let from = 0; from < EVENTS; from += GROUP) {
    const group = events.slice(from, from + GROUP)
    const operations = group.map(({ wire }, offset) => ({
      type: 'put' as const,
      key: `e!${String(from + offset).padStart(16, '0')}`,
      value: wire
    }))
    await store.write(operations, { sync: true })
  }
  await store.close()
  rmSync(folder, { recursive: true, force: true })
}
