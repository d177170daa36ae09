import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeEvent, encodeEvent } from '../../protocols/event/v1/codec.ts'
import { fromOwnLog } from '../../src/events/verified.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { KeyRange, Store } from '../../src/log/store.ts'
import { createNode } from '../../src/node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { announceBody } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { report } from './report.ts'
import { caughtUp, members, openNode } from './workload.ts'

/**
 * What a node with a long log does before it is ready: how many records and rows it reads, how long it takes, how much
 * memory it has then. The log is built through its own append, with signatures that nobody checks.
 */
const EVENTS = 200_000
const SIGNERS = 50
const signers = members(SIGNERS)

const folder = process.argv[2]
if (folder === undefined) await build()
else await start(folder)

async function build(): Promise<void> {
  const made = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  try {
    const empty = await openNode(signers, made)
    await empty.node.close()
    await appendEvents(made)
    const filled = await openNode(signers, made)
    await caughtUp(filled.node)
    await filled.node.close()
    // A process of its own, so that building leaves nothing in its memory.
    const child = spawnSync(process.execPath, [import.meta.filename, made], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit']
    })
    if (child.status !== 0) throw new Error(`the started node ended with exit code ${String(child.status)}`)
    const measured = JSON.parse(child.stdout) as { reads: number; milliseconds: number; rssMiB: number; logSeq: number }
    report('startup', [
      { name: 'events in the log', value: measured.logSeq, unit: 'records', bound: EVENTS, compare: '>=' },
      {
        name: 'store entries read until ready (no full scan)',
        value: measured.reads,
        unit: 'entries',
        bound: 1_000,
        compare: '<='
      },
      { name: 'resident memory when ready', value: measured.rssMiB, unit: 'MiB', bound: 300, compare: '<=' },
      { name: 'time until ready', value: measured.milliseconds, unit: 'ms' }
    ])
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

async function appendEvents(data: string): Promise<void> {
  const store = await openLevelStore(join(data, 'store'), { create: false })
  const checkpoint = checkpointFile(join(data, 'store.json'))
  const log = await openLog({ store, checkpoint, clock: systemClock, random: systemRandom, logger: silentLogger })
  const tips = new Map<string, { authorSeq: number; id: string }>()
  let appending: Promise<unknown>[] = []
  for (let index = 0; index < EVENTS; index += 1) {
    const { signer } = signers[index % SIGNERS] ?? { signer: undefined }
    if (signer === undefined) throw new Error('no signer')
    const tip = tips.get(signer.kid)
    const wire = encodeEvent(
      {
        v: 1,
        type: 'announce',
        namespace: NAMESPACE,
        signer: signer.did,
        kid: signer.kid,
        authorSeq: (tip?.authorSeq ?? 0) + 1,
        prev: tip?.id ?? null,
        ts: 1_700_000_000_000 + index,
        body: announceBody(`batch-${index}`)
      },
      [{ kid: signer.kid, signature: new Uint8Array(64).fill(1) }]
    )
    const decoded = decodeEvent(wire)
    if (!decoded.ok) throw new Error(decoded.detail)
    tips.set(signer.kid, { authorSeq: decoded.event.envelope.authorSeq, id: decoded.event.id })
    appending.push(log.append([{ scope: 'shared', event: fromOwnLog(decoded.event) }]))
    if (appending.length < 2_048) continue
    await Promise.all(appending)
    appending = []
  }
  await Promise.all(appending)
  await log.close()
  await store.close()
}

async function start(data: string): Promise<void> {
  const began = performance.now()
  const counted = countingReads(await openLevelStore(join(data, 'store'), { create: false }))
  const [self] = signers
  if (self === undefined) throw new Error('no signer')
  const node = await createNode(
    { policy: policyOf(self, signers), signer: self.signer, version: 'bench' },
    {
      store: counted.store,
      blobs: await openLevelStore(join(data, 'blobs'), { create: false }),
      checkpoint: checkpointFile(join(data, 'store.json')),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger
    }
  )
  await caughtUp(node)
  const milliseconds = Math.round(performance.now() - began)
  const { log } = await node.status()
  const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20)
  console.log(JSON.stringify({ reads: counted.reads(), milliseconds, rssMiB, logSeq: log.logSeq }))
  await node.close()
}

function countingReads(store: Store): { readonly store: Store; reads(): number } {
  let reads = 0
  async function* range(bounds: KeyRange): AsyncGenerator<[string, Uint8Array]> {
    for await (const entry of store.range(bounds)) {
      reads += 1
      yield entry
    }
  }
  return {
    reads: () => reads,
    store: {
      get: (key) => {
        reads += 1
        return store.get(key)
      },
      getMany: (keys) => {
        reads += keys.length
        return store.getMany(keys)
      },
      range,
      write: (operations, options) => store.write(operations, options),
      snapshot: () => store.snapshot(),
      reopen: () => store.reopen(),
      sizeBytes: () => store.sizeBytes(),
      freeBytes: () => store.freeBytes(),
      close: () => store.close()
    }
  }
}
