import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { decodeReport, encodeReport } from '../../protocols/drill-report/v1/report.ts'
import type { DrillReport } from '../../protocols/drill-report/v1/report.ts'
import { fromHex, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `drill-report/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

describe('drill-report/v1', () => {
  type Valid = { file: string; signed: string; publicKey: string }
  test.each(vectorsOf('reports') as readonly Valid[])('$description', ({ file, signed, publicKey }) => {
    const decoding = decodeReport(utf8(file))
    if (!decoding.ok) throw new Error(decoding.detail)
    expect(encodeCanonical(decoding.report)).toBe(signed)
    expect(toHex(publicKeyOfDidKey(decoding.report.signer) ?? new Uint8Array())).toBe(publicKey)
  })

  type Invalid = { code: string } & ({ file: string } | { bytes: string } | { repeat: string; count: number })
  test.each(vectorsOf('reports-invalid') as readonly Invalid[])('$rule $code: $description', (vector) => {
    const text = 'repeat' in vector ? vector.repeat.repeat(vector.count) : 'file' in vector ? vector.file : ''
    const bytes = 'bytes' in vector ? (fromHex(vector.bytes) ?? new Uint8Array()) : utf8(text)
    expect(decodeReport(bytes)).toMatchObject({ ok: false, code: vector.code })
  })

  test('what is written is read', async () => {
    const signer = localSigner(new Uint8Array(32).fill(7))
    const [first] = vectorsOf('reports') as readonly Valid[]
    const { signatures: _old, ...before } = JSON.parse(first?.file ?? '') as DrillReport & { signatures: unknown }
    const report: DrillReport = { ...before, signer: signer.did, kid: signer.kid }
    const file = await encodeReport(report, (input) => signer.sign(input))
    expect(decodeReport(utf8(file))).toEqual({ ok: true, report })
  })

  test('who reads a report that was changed learns what it claims, and that nobody vouches for it', () => {
    const [first] = vectorsOf('reports') as readonly Valid[]
    const changed = (first?.file ?? '').replace('"partner-1"', '"partner-2"')
    expect(decodeReport(utf8(changed))).toMatchObject({
      ok: false,
      code: 'SIGNATURE_INVALID',
      claimed: { remote_node_id: 'partner-2' }
    })
  })
})
