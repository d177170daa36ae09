import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { Store } from './store.ts'

/**
 * Throws `STORE_FULL` where the disk has less than `bytesMin` free, or does not say how much: what can come again must
 * not take the room that the log needs. `what`: who asks, in the plural.
 */
export async function assureFreeBytes(store: Pick<Store, 'freeBytes'>, bytesMin: number, what: string): Promise<void> {
  const free = await freeBytesOf(store)
  if (free >= bytesMin) return
  throw new AnchormeshError('STORE_FULL', `${free} bytes are free; ${what} need ${bytesMin}`, {
    hint: 'free disk space'
  })
}

async function freeBytesOf(store: Pick<Store, 'freeBytes'>): Promise<number> {
  try {
    return await store.freeBytes()
  } catch (error) {
    const reason = messageOf(error)
    throw new AnchormeshError('STORE_FULL', `the disk does not say how much room it has: ${reason}`, { cause: error })
  }
}
