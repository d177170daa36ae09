import { AnchormeshError } from '../platform/errors.ts'
import { DAMAGE_HINT } from './damage-hint.ts'
import { afterDescription } from './encrypted-store.ts'
import { encryptionWrite, readEncryption, targetOf } from './store-encryption.ts'
import type { EncryptionTarget } from './store-encryption.ts'
import type { Store, WriteOperation } from './store.ts'
import type { ValueCipher } from './value-cipher.ts'

// One atomic batch: as much as LevelDB takes in a few milliseconds, and as is done again after a kill.
const BATCH_ENTRIES_MAX = 1_000
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/** The ciphers of a store's change; `null` where values stand in clear. */
export interface ChangeCiphers {
  readonly from: ValueCipher | null
  readonly to: ValueCipher | null
}

/**
 * Writes down, synced, that the store's values are to be encrypted otherwise; from now on it opens only for that. A
 * change that has begun goes on where it stood. Answers what was there before.
 */
export async function beginChange(store: Store, to: ValueCipher | null): Promise<EncryptionTarget> {
  const state = await readEncryption(store)
  if (state.change === null) {
    await store.write([encryptionWrite({ ...state, change: { next: targetOf(to), upTo: '' } })], { sync: true })
  }
  return state.current
}

/**
 * Encrypts the values of a store anew, from key to key; each batch says in itself how far it came, so that it may be
 * killed at any point and goes on there. Throws `STORE_CORRUPT` for a value that does not open.
 */
export async function changeValues(
  store: Store,
  { from, to }: ChangeCiphers,
  onProgress: (entries: number) => void
): Promise<void> {
  const state = await readEncryption(store)
  if (state.change === null) throw new Error('the change has not begun')
  const { change } = state
  let entries = 0
  let bytes = 0
  let batch: WriteOperation[] = []
  const flush = async (upTo: string): Promise<void> => {
    await store.write([...batch, encryptionWrite({ ...state, change: { ...change, upTo } })], { sync: false })
    entries += batch.length
    batch = []
    bytes = 0
    onProgress(entries)
  }
  let last = change.upTo
  for await (const [key, value] of store.range(afterDescription({ gt: change.upTo }))) {
    const plain = from === null ? value : from.open(key, value)
    if (plain === null) throw doesNotOpen(key)
    batch.push({ type: 'put', key, value: to === null ? plain : to.seal(key, plain) })
    bytes += value.length
    last = key
    if (batch.length >= BATCH_ENTRIES_MAX || bytes >= BATCH_BYTES_MAX) await flush(key)
  }
  await flush(last)
}

/** Opens every value with what it was encrypted with last. Throws `STORE_CORRUPT`. Answers how many there are. */
export async function verifyValues(
  store: Store,
  to: ValueCipher | null,
  onProgress: (entries: number) => void
): Promise<number> {
  let entries = 0
  for await (const [key, value] of store.range(afterDescription({}))) {
    if (to !== null && to.open(key, value) === null) throw doesNotOpen(key)
    entries += 1
    if (entries % BATCH_ENTRIES_MAX === 0) onProgress(entries)
  }
  return entries
}

/** Writes down, synced, that the change is done. */
export async function endChange(store: Store): Promise<void> {
  const { v, current, change } = await readEncryption(store)
  const state = { v, current: change === null ? current : change.next, change: null }
  await store.write([encryptionWrite(state)], { sync: true })
}

function doesNotOpen(key: string): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', `the value at ${key} does not open: it was damaged or exchanged`, {
    hint: DAMAGE_HINT
  })
}
