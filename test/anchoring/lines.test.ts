import { expect, test } from 'vitest'
import { Lines } from '../../src/anchoring/lines.ts'

test('who waits no longer is not woken in the place of one who does', async () => {
  const lines = new Lines(1)
  const gate = Promise.withResolvers<void>()
  const stop = new AbortController()
  const running = lines.inLine('a', () => gate.promise)
  const given = lines.inLine('b', () => Promise.resolve('b'), stop.signal)
  const waits = lines.inLine('c', () => Promise.resolve('c'))
  await Promise.resolve()
  stop.abort(new Error('no longer'))
  await expect(given).rejects.toThrow('no longer')
  gate.resolve()
  await running
  expect(await waits).toBe('c')
})
