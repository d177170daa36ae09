import { expect, it } from 'vitest'
import { fuzz } from './support/fuzzed-node.ts'

it('answers 20,000 requests as its OpenAPI document says, and holds no more memory after them', async () => {
  const heap = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  await fuzz(2_000, 1)
  const before = heap()
  for (let seed = 2; seed < 11; seed += 1) {
    const statuses = await fuzz(2_000, seed)
    expect(statuses.get(500)).toBeUndefined()
  }
  // What one round leaves behind is a few MiB of compiled code; what each leaves would be ten times that.
  expect(heap() - before).toBeLessThan(128 * 1024 * 1024)
}, 600_000)
