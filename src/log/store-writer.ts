import type { EventLog } from './event-log.ts'
import { isStoreUnavailable } from './level-store.ts'
import type { Store, WriteOperation } from './store.ts'
import { messageOf } from '../platform/errors.ts'

/** Writes to the node's store beside the log. Throws what `Store.write` does. */
export type WriteToStore = (operations: readonly WriteOperation[], options: { readonly sync: boolean }) => Promise<void>

/** Writes to the store of the log; after a write that failed the log opens it anew, or nobody could write again. */
export function storeWriter(store: Store, log: EventLog): WriteToStore {
  return async (operations, options) => {
    try {
      await store.write(operations, options)
    } catch (error) {
      if (isStoreUnavailable(error)) log.writeFailed(messageOf(error))
      throw error
    }
  }
}
