/**
 * Where a subscription keeps how far its handler is. `save` is called only after the handler is done with what came
 * before the cursor; what was handled but not yet saved when an app dies comes again.
 */
export interface CursorStore {
  /** The cursor that was saved last, or null. */
  load(): Promise<string | null>
  /** Resolves when the cursor is kept, as durably as the app wants it. */
  save(cursor: string): Promise<void>
}

/** Keeps the cursor as long as the app runs. */
export function memoryCursorStore(cursor: string | null = null): CursorStore {
  let kept = cursor
  return {
    load: () => Promise.resolve(kept),
    save: (next) => {
      kept = next
      return Promise.resolve()
    }
  }
}

/** What `localStorage` and `sessionStorage` of browsers offer. */
export interface WebStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

/** Keeps the cursor under `key` in a storage of the browser: `webCursorStore('winners', localStorage)`. */
export function webCursorStore(key: string, storage: WebStorage): CursorStore {
  return {
    load: async () => storage.getItem(key),
    save: async (cursor) => storage.setItem(key, cursor)
  }
}
