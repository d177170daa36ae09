import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { readTransaction } from '../../src/timestamps/clients/evm-values.ts'
import { PROTOCOLS } from '../protocols/make-vectors.ts'
import { readJson } from '../protocols/third-party.ts'

interface Hashed {
  readonly description: string
  readonly transaction: JsonObject
  readonly hash: string
}

const { vectors } = readJson(PROTOCOLS, 'evm-evidence/v1/vectors/transactions.json') as { vectors: readonly Hashed[] }
const shown = ({ transaction, hash }: Hashed, changes: JsonObject): JsonObject => ({
  ...transaction,
  hash: `0x${hash}`,
  from: `0x${'ab'.repeat(20)}`,
  blockHash: null,
  ...changes
})

describe('a legacy transaction', () => {
  const legacy = vectors.filter(({ description }) => description.startsWith('type 0'))

  it.each(legacy)('$description: has no type, whichever way a node leaves it out, and needs no chain id', (vector) => {
    for (const type of ['0x0', null]) {
      const { chainId: _none, ...transaction } = shown(vector, { type })
      expect(readTransaction(transaction, vector.hash, 5n)).toMatchObject({ ok: true, value: { hashChecked: true } })
    }
  })
})
