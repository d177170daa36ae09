import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeCrypto } from '../../protocols/primitives/node-crypto.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'

interface Report {
  readonly hasNodeCrypto: boolean
  readonly sha256OfText: string
  readonly events: readonly { readonly id: string; readonly found: string; readonly good: boolean }[]
}

test('without node:crypto, as in a browser, events are read and verified with the same results', () => {
  const program = join(import.meta.dirname, 'without-node-crypto.ts')
  const report = JSON.parse(execFileSync(process.execPath, [program], { encoding: 'utf8' })) as Report
  expect(nodeCrypto).toBeDefined()
  expect(report.hasNodeCrypto).toBe(false)
  expect(report.sha256OfText).toBe(sha256Hex('é'))
  expect(report.events.length).toBeGreaterThan(10)
  for (const { id, found, good } of report.events) expect({ found, good }).toEqual({ found: id, good: true })
})
