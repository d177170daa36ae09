import { expect, test } from 'vitest'
import * as keys from '../../src/log/keys.ts'

test('no two kinds of entries share a prefix, and none is that of projections', () => {
  const prefixes = Object.entries(keys).flatMap(([name, value]) =>
    name.endsWith('_PREFIX') && typeof value === 'string' ? [value] : []
  )
  expect(prefixes.length).toBeGreaterThan(8)
  expect(new Set([...prefixes, 'v!', 'w!', 'm!']).size).toBe(prefixes.length + 3)
})
