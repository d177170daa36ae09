import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attestationsOf, parseOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { arbitraryTimestamp } from './open-timestamps-arbitrary.ts'
import { readJson } from './third-party.ts'
import { proofFile } from './vectors/bitcoin-parts.ts'
import { sha256 } from './vectors/vector-file.ts'

/** Reads a list of proofs (hex) and says of each what it attests, or null. Messages and attestations, sorted. */
const PROGRAM = `
import json, sys, warnings
warnings.simplefilter('ignore')
from opentimestamps.core.notary import PendingAttestation, BitcoinBlockHeaderAttestation, LitecoinBlockHeaderAttestation
from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
from opentimestamps.core.timestamp import DetachedTimestampFile

def text(attestation):
    if isinstance(attestation, PendingAttestation):
        return 'pending ' + attestation.uri
    if isinstance(attestation, BitcoinBlockHeaderAttestation):
        return 'bitcoin %d' % attestation.height
    if isinstance(attestation, LitecoinBlockHeaderAttestation):
        return 'litecoin %d' % attestation.height
    return 'unknown ' + attestation.TAG.hex() + attestation.payload.hex()

def read(proof):
    try:
        file = DetachedTimestampFile.deserialize(BytesDeserializationContext(bytes.fromhex(proof)))
    except DeserializationError:
        return None
    return sorted(set(msg.hex() + ' ' + text(attestation) for msg, attestation in file.timestamp.all_attestations()))

print(json.dumps([read(proof) for proof in json.load(sys.stdin)]))
`

// A package of the system is one of its own Python, which need not be the first that is found.
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import opentimestamps.core.timestamp']).status === 0
)
if (python === undefined)
  console.log('skipped: the reference implementation of OpenTimestamps (python3-opentimestamps) is not here')

function reference(proofs: readonly string[]): readonly (readonly string[] | null)[] {
  const run = spawnSync(python ?? '', ['-c', PROGRAM], { input: JSON.stringify(proofs), encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout) as readonly (readonly string[] | null)[]
}

function attested(proof: string): readonly string[] | null {
  const reading = parseOtsProof(fromHex(proof) as Uint8Array)
  if (!reading.ok) return null
  const lines = attestationsOf(reading.proof.timestamp).map(({ attestation, message }) => {
    const { kind } = attestation
    const text =
      kind === 'pending'
        ? attestation.uri
        : kind === 'unknown'
          ? toHex(attestation.tag) + toHex(attestation.payload)
          : String(attestation.height)
    return `${toHex(message)} ${kind} ${text}`
  })
  return [...new Set(lines)].toSorted()
}

/** Where this reader is stricter, the reference takes more. */
const STRICTER = new Set(['BE-14', 'BE-15'])

describe.skipIf(python === undefined)('the reference implementation of OpenTimestamps in Python', () => {
  type Valid = { readonly description: string; readonly proof: string }
  type Invalid = { readonly description: string; readonly proof?: string; readonly rule: string }
  const vectorsOf = (name: string): readonly unknown[] =>
    (readJson(PROTOCOLS, `bitcoin-evidence/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors

  test('reads the proofs of the vectors in the same way', () => {
    const proofs = (vectorsOf('proofs') as readonly Valid[])
      // Of one operation with two timestamps in one place it keeps the second.
      .filter(({ description }) => !description.includes('twice'))
      .map(({ proof }) => proof)
    expect(proofs.map(attested)).toEqual(reference(proofs))
  })

  test('refuses what the vectors say is to be refused', () => {
    const proofs = (vectorsOf('proofs-invalid') as readonly Invalid[]).flatMap(({ proof, rule }) =>
      proof === undefined || STRICTER.has(rule) ? [] : [proof]
    )
    expect(reference(proofs)).toEqual(proofs.map(() => null))
  })

  test('reads any proof in the same way', () => {
    const digest = sha256('what was stamped')
    const proofs = fc
      .sample(arbitraryTimestamp, { numRuns: 300, seed: 4 })
      .map((timestamp) => toHex(proofFile(digest, timestamp)))
    reference(proofs).forEach((read, index) => {
      // What stands twice in one place, the reference keeps once.
      expect(attested(proofs[index] ?? '')).toEqual(expect.arrayContaining([...(read ?? ['refused'])]))
    })
  })
})
