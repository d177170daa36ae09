import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { calldataProblem, evidenceProblem } from '../../protocols/evm-evidence/v1/evidence.ts'
import type { EvmCarrier } from '../../protocols/evm-evidence/v1/evidence.ts'
import { transactionHash } from '../../protocols/evm-evidence/v1/transaction-hash.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `evm-evidence/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`not hex: ${hex}`)
  return bytes
}

interface Evidence {
  readonly anchored: { readonly carriedIn: 'calldata' | 'log'; readonly contract?: string }
  readonly batchRoot: string
  readonly transaction: {
    readonly to: string | null
    readonly input: string
    readonly succeeded: boolean
    readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: string }[]
  }
}

const carrierOf = ({ transaction }: Evidence): EvmCarrier => ({
  ...transaction,
  input: bytesOf(transaction.input),
  logs: transaction.logs.map((log) => ({ ...log, data: bytesOf(log.data) }))
})

describe('transaction hashes', () => {
  type Valid = { transaction: JsonObject; serialized: string; hash: string }
  test.each(vectorsOf('transactions') as readonly Valid[])('$description', ({ transaction, serialized, hash }) => {
    expect(transactionHash(transaction)).toEqual({ ok: true, hash })
    expect(toHex(keccak_256(bytesOf(serialized)))).toBe(hash)
  })

  type Invalid = { transaction: JsonObject; why: string }
  test.each(vectorsOf('transactions-invalid') as readonly Invalid[])('$why: $description', ({ transaction, why }) => {
    expect(transactionHash(transaction)).toMatchObject({ ok: false, why })
  })

  test('any value in the place of any member is judged, never thrown at', () => {
    const transactions = (vectorsOf('transactions') as readonly Valid[]).map(({ transaction }) => transaction)
    fc.assert(
      fc.property(fc.constantFrom(...transactions), fc.nat(), fc.jsonValue(), (transaction, at, value) => {
        const names = Object.keys(transaction)
        const changed = { ...transaction, [names[at % names.length] as string]: value } as JsonObject
        expect(transactionHash(changed)).toHaveProperty('ok')
      })
    )
  })
})

describe('where the root stands', () => {
  test.each(vectorsOf('evidence') as readonly Evidence[])('$description', (vector) => {
    expect(evidenceProblem(vector.anchored, vector.batchRoot, carrierOf(vector))).toBeNull()
  })

  type Invalid = Evidence & { readonly code: string; readonly rule: string }
  test.each(vectorsOf('evidence-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    const carrier = carrierOf(vector)
    expect(evidenceProblem(vector.anchored, vector.batchRoot, carrier)).toBe(vector.code)
    // What the hash decides is told apart from what only a final block does.
    const early = ['EE-8', 'EE-9'].includes(vector.rule) ? vector.code : null
    expect(calldataProblem(vector.anchored, vector.batchRoot, carrier)).toBe(early)
  })
})
