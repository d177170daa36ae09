import { PACK_ANCHORS_PREFIX, PACK_SYNC_STATE_PREFIX } from './keys.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import type { AnchorStore, StoredAnchors, SyncState } from './anchors.ts'

/** Anchors and states in memory: for those who keep them elsewhere, and for tests. */
export function memoryAnchorStore(): AnchorStore {
  const anchors = new Map<string, StoredAnchors>()
  const states = new Map<string, SyncState>()
  return {
    anchors: (namespace, orgId) => Promise.resolve(anchors.get(`${namespace}!${orgId}`) ?? null),
    state: (namespace, orgId) => Promise.resolve(states.get(`${namespace}!${orgId}`) ?? null),
    put: (entry) => {
      const { anchors: put, state } = entry
      if (put !== undefined) anchors.set(`${put.namespace}!${put.orgId}`, structuredClone(put))
      if (state !== undefined) states.set(`${state.namespace}!${state.orgId}`, structuredClone(state))
      return Promise.resolve()
    }
  }
}

/** Anchors and states in a store, beside whatever else is in it. */
export function storedAnchorStore(store: Store): AnchorStore {
  const read = async (key: string): Promise<unknown> => {
    const bytes = await store.get(key)
    return bytes === undefined ? null : JSON.parse(Buffer.from(bytes).toString('utf8'))
  }
  return {
    anchors: async (namespace, orgId) =>
      (await read(`${PACK_ANCHORS_PREFIX}${namespace}!${orgId}`)) as StoredAnchors | null,
    state: async (namespace, orgId) =>
      (await read(`${PACK_SYNC_STATE_PREFIX}${namespace}!${orgId}`)) as SyncState | null,
    put: async ({ anchors, state }) => {
      const operations: WriteOperation[] = []
      const write = (prefix: string, value: StoredAnchors | SyncState | undefined): void => {
        if (value === undefined) return
        const key = `${prefix}${value.namespace}!${value.orgId}`
        operations.push({ type: 'put', key, value: JSON.stringify(value) })
      }
      write(PACK_ANCHORS_PREFIX, anchors)
      write(PACK_SYNC_STATE_PREFIX, state)
      await store.write(operations, { sync: true })
    }
  }
}
