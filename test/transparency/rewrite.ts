import { decodeCanonical, encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type { StoreCheckpoint } from '../../src/log/checkpoint-file.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { STORE_META_KEY, TREE_PREFIX, recordKey } from '../../src/log/keys.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { LogReader } from '../../src/log/log-reader.ts'
import { LogTree } from '../../src/log/log-tree.ts'
import type { LogRecord } from '../../src/log/record.ts'
import { GENESIS_HASH, sealRecord } from '../../src/log/record.ts'
import type { Store, WriteOperation } from '../../src/log/store.ts'
import { prefixRange } from '../../src/log/store.ts'
import type { TreeView } from '../../src/log/tree-view.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { collect } from '../support/collect.ts'
import { filesOf } from './nodes.ts'

/** As somebody with the disk in hand and all knowledge of the format. */
async function tampered<Result>(
  folder: string,
  work: (store: Store, known: StoreCheckpoint) => Promise<Result>
): Promise<Result> {
  const files = filesOf(folder)
  const store = await openLevelStore(files.store, { create: false })
  try {
    const known = await checkpointFile(files.state).read()
    if (known === null) throw new Error('there is a store.json')
    const result = await work(store, known)
    // Nothing in the folder itself shows it.
    const verification = await verifyLog(store, checkpointFile(files.state))
    if (!verification.ok) throw new Error(JSON.stringify(verification.problems))
    return result
  } finally {
    await store.close()
  }
}

async function treeOf(store: Store): Promise<TreeView> {
  const reader = new LogReader(store)
  const log = {
    head: await reader.readHead(),
    records: (after: number, upTo: number) => reader.records(after, upTo),
    writeFailed: () => {}
  }
  return await new LogTree({ store, logger: silentLogger }, log).ready()
}

/** Changes a local record, and makes hashes, tree and store.json fit. Returns its position. */
export async function rewriteLog(folder: string, type: string): Promise<number> {
  return await tampered(folder, async (store, known) => {
    const reader = new LogReader(store)
    const operations: WriteOperation[] = []
    let changedAt = 0
    let hash: Uint8Array = GENESIS_HASH
    for await (const record of reader.records(0, (await reader.readHead()).logSeq)) {
      const payload: Uint8Array | null = changedAt === 0 ? changed(record, type) : null
      if (payload !== null) changedAt = record.logSeq
      const sealed = sealRecord(hash, { ...record, payload: payload ?? record.payload })
      hash = sealed.record.hash
      operations.push({ type: 'put', key: recordKey(record.logSeq), value: sealed.stored })
    }
    if (changedAt === 0) throw new Error(`no ${type} in the log`)
    for (const [key] of await collect(store.range(prefixRange(TREE_PREFIX)))) operations.push({ type: 'del', key })
    await store.write(operations, { sync: true })
    await treeOf(store)
    const head = { logSeq: (await reader.readHead()).logSeq, hash: toHex(hash) }
    await checkpointFile(filesOf(folder).state).write({ ...known, head })
    return changedAt
  })
}

/** What `restore` does to a folder that was copied back: a new epoch, which says what it goes on from. */
export async function beginEpoch(folder: string, epoch: string): Promise<void> {
  await tampered(folder, async (store, known) => {
    const tree = await treeOf(store)
    const restoredFrom = { epoch: known.epoch, size: tree.size, root: toHex(await tree.root(tree.size)) }
    const meta = JSON.parse(Buffer.from((await store.get(STORE_META_KEY)) ?? []).toString()) as object
    const value = utf8(JSON.stringify({ ...meta, epoch }))
    await store.write([{ type: 'put', key: STORE_META_KEY, value }], { sync: true })
    await checkpointFile(filesOf(folder).state).write({ ...known, epoch, restoredFrom })
  })
}

/** The local record's bytes with another time, if it is of the type. */
function changed({ scope, payload }: LogRecord, type: string): Uint8Array | null {
  if (scope === 'shared') return null
  const decoded = decodeCanonical(payload)
  const event = decoded.ok ? (decoded.value as JsonObject) : {}
  return event['type'] === type ? utf8(encodeCanonical({ ...event, ts: Number(event['ts']) - 1 })) : null
}
