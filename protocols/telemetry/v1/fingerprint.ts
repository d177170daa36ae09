import { encodeCanonical } from '../../canonical-json/v1/codec.ts'
import { utf8 } from '../../primitives/bytes.ts'
import { sha256Hex } from '../../primitives/sha256.ts'

/** What makes an execution one and the same, wherever it is told of (SPEC TM-10). */
export interface ExecutionFacts {
  readonly attestationMeasurementHash: string
  readonly executionId: string
  readonly kid: string
  readonly signer: string
  readonly tenant: string
}

/** So that no hash over other members can pass for one of these. */
const TYPE = 'anchormesh.execution-fingerprint.v1'

/** The fingerprint of an execution, hex: SHA-256 over the canonical JSON of its facts (SPEC TM-10). */
export function executionFingerprint(facts: ExecutionFacts): string {
  const { attestationMeasurementHash, executionId, kid, signer, tenant } = facts
  const named = { attestationMeasurementHash, executionId, kid, signer, tenant, type: TYPE }
  return sha256Hex(utf8(encodeCanonical(named)))
}
