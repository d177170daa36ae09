import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fromBase64url, fromHex } from '../../protocols/primitives/bytes.ts'
import { imprintOfRoot, verifyTimestampToken } from '../../src/timestamps/rfc3161/verify-token.ts'
import type { TokenVerdict } from '../../src/timestamps/rfc3161/verify-token.ts'
import { PROTOCOLS } from '../protocols/make-vectors.ts'
import { readJson } from '../protocols/third-party.ts'
import { tsaPolicy } from './support/certificates.ts'

interface TokenVector {
  readonly description: string
  readonly batchRoot: string
  readonly evidence: string
  readonly roots: readonly string[]
  readonly certificates: readonly string[]
  readonly policies: readonly string[]
  readonly accuracyMsMax?: number
  readonly nonce?: string
}

interface ValidVector extends TokenVector {
  readonly position: number
  readonly provenTime: number
  readonly chain: readonly string[]
}

interface InvalidVector extends TokenVector {
  readonly rule: string
  readonly code: string
}

function vectorsOf<V extends TokenVector>(file: string): (readonly [string, V])[] {
  const { vectors } = readJson(PROTOCOLS, join('tsa-evidence', 'v1', 'vectors', file)) as { vectors: readonly V[] }
  return vectors.map((vector) => [vector.description, vector] as const)
}

function judge({
  batchRoot,
  evidence,
  roots,
  certificates,
  policies,
  accuracyMsMax,
  nonce
}: TokenVector): TokenVerdict {
  return verifyTimestampToken(fromBase64url(evidence) ?? new Uint8Array(), {
    expectedImprint: (hash) => imprintOfRoot(fromHex(batchRoot) ?? new Uint8Array(), hash),
    tsaPolicy: tsaPolicy(roots, { certificates, policies, ...(accuracyMsMax === undefined ? {} : { accuracyMsMax }) }),
    ...(nonce === undefined ? {} : { expectedNonce: BigInt(nonce) })
  })
}

describe('the vectors of tsa-evidence/v1', () => {
  test.each(vectorsOf<ValidVector>('tokens.json'))('valid: %s', (_description, vector) => {
    const verdict = judge(vector)
    if (!verdict.ok) throw new Error(`${verdict.code}: ${verdict.detail}`)
    const { genTime, provenTime, chain } = verdict.token
    expect({ position: genTime, provenTime, chain }).toEqual({
      position: vector.position,
      provenTime: vector.provenTime,
      chain: vector.chain
    })
  })

  test.each(vectorsOf<InvalidVector>('tokens-invalid.json'))('invalid: %s', (_description, vector) => {
    expect(judge(vector)).toMatchObject({ ok: false, code: vector.code })
  })
})
