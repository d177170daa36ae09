import { DAMAGE_HINT } from './damage-hint.ts'
import { z } from 'zod'
import { toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Random } from '../platform/random.ts'
import type { StoreCheckpoint } from './checkpoint-file.ts'
import { STORE_FORMAT_VERSION, assertStoreFormat } from './checkpoint-file.ts'
import type { LogPorts } from './event-log.ts'
import { EventLog } from './event-log.ts'
import { STORE_META_KEY } from './keys.ts'
import { LogReader } from './log-reader.ts'
import type { Store } from './store.ts'

const EPOCH_BYTES = 8

// Of another format only the version is known.
const metaSchema = z.object({ formatVersion: z.number().int().positive(), epoch: z.string().default('') })
type StoreMeta = z.infer<typeof metaSchema>

/**
 * Opens the log of a store, or begins one in an empty store. Reads two records, whatever the log's length.
 * Throws `STORE_NEWER` or `STORE_OLDER` for another format and `STORE_CORRUPT` when the store holds less than, or
 * something else than, what the checkpoint outside of it says.
 */
export async function openLog(ports: LogPorts & { readonly random: Random }): Promise<EventLog> {
  const checkpoint = await ports.checkpoint.read()
  const meta = await readMeta(ports)
  const reader = new LogReader(ports.store)
  const head = await reader.readHead()
  if (meta === null) {
    if (checkpoint !== null) throw corrupt(`it is empty, but had ${checkpoint.head.logSeq} records`)
    for await (const [key] of ports.store.range({ limit: 1 }))
      throw corrupt(`it does not say of what format it is, but holds ${key}`)
    return await beginLog(ports)
  }
  if (checkpoint !== null) await compare(reader, meta, head.logSeq, checkpoint)
  else
    ports.logger.warn(
      { logSeq: head.logSeq },
      'store.json is missing; the length of the log could not be checked from outside'
    )
  const epoch = await adoptEpoch(ports.store, meta, checkpoint)
  const log = new EventLog({ epoch, head, restoredFrom: checkpoint?.restoredFrom ?? null }, ports)
  try {
    await log.writeCheckpoint()
  } catch (error) {
    // What it says is still true, and a node on a full disk can at least be asked.
    ports.logger.warn(
      { reason: messageOf(error) },
      'store.json could not be written; it is tried again after the next append'
    )
  }
  return log
}

async function readMeta(ports: LogPorts): Promise<StoreMeta | null> {
  const bytes = await ports.store.get(STORE_META_KEY)
  if (bytes === undefined) return null
  const meta = parseMeta(Buffer.from(bytes).toString('utf8'))
  assertStoreFormat(meta.formatVersion, 'the store has')
  return meta
}

function parseMeta(text: string): StoreMeta {
  try {
    return metaSchema.parse(JSON.parse(text))
  } catch (error) {
    throw corrupt(`its description can't be read: ${messageOf(error)}`)
  }
}

async function beginLog(ports: LogPorts & { readonly random: Random }): Promise<EventLog> {
  const meta: StoreMeta = { formatVersion: STORE_FORMAT_VERSION, epoch: toHex(ports.random.bytes(EPOCH_BYTES)) }
  await ports.store.write([{ type: 'put', key: STORE_META_KEY, value: utf8(JSON.stringify(meta)) }], { sync: true })
  const head = await new LogReader(ports.store).readHead()
  const log = new EventLog({ epoch: meta.epoch, head, restoredFrom: null }, ports)
  await log.writeCheckpoint()
  return log
}

/**
 * What a restore put back is of the epoch of its backup; store.json has the new one, under which it goes on. Written once,
 * when it is first opened, because a restore can't write into a store that is encrypted.
 */
async function adoptEpoch(store: Store, meta: StoreMeta, checkpoint: StoreCheckpoint | null): Promise<string> {
  if (checkpoint === null || checkpoint.epoch === meta.epoch) return meta.epoch
  const value = utf8(JSON.stringify({ ...meta, epoch: checkpoint.epoch }))
  await store.write([{ type: 'put', key: STORE_META_KEY, value }], { sync: true })
  return checkpoint.epoch
}

async function compare(reader: LogReader, meta: StoreMeta, logSeq: number, checkpoint: StoreCheckpoint): Promise<void> {
  if (meta.epoch !== checkpoint.epoch && meta.epoch !== checkpoint.restoredFrom?.epoch)
    throw corrupt(`it is of epoch ${meta.epoch}, store.json of ${checkpoint.epoch}`)
  const { head } = checkpoint
  if (head.logSeq > logSeq) throw corrupt(`it ends at record ${logSeq}, but had ${head.logSeq}`)
  if (head.logSeq === 0) return
  const record = await reader.read(head.logSeq)
  if (record === undefined) throw corrupt(`record ${head.logSeq} is missing`)
  if (toHex(record.hash) !== head.hash) throw corrupt(`record ${head.logSeq} is not the one that was written`)
}

function corrupt(reason: string): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', `the store is damaged: ${reason}`, {
    hint: DAMAGE_HINT
  })
}
