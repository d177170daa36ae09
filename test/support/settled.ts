/**
 * Resolves when everything has run that waits for nothing but promises: one turn of the event loop. Real I/O is not
 * waited for.
 */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
