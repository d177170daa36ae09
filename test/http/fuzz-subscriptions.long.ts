import { expect, test } from 'vitest'
import { fuzzSubscriptions } from './support/fuzzed-subscriptions.ts'

test('10,000 requests for subscriptions, and no more memory is held after them', async () => {
  const heap = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  await fuzzSubscriptions(1_000, 1)
  const before = heap()
  for (let seed = 2; seed < 11; seed += 1) await fuzzSubscriptions(1_000, seed)
  // The nodes of a round stay until the end of the test, with a few MiB each; what each request left would be far more.
  expect(heap() - before).toBeLessThan(128 * 1024 * 1024)
}, 900_000)
