import { equalBytes } from '../../primitives/bytes.ts'
import { attestationsOf, encodeOtsProof, parseOtsProof, parseOtsTimestamp } from './open-timestamps.ts'
import type { OtsBranch, OtsProof, OtsTimestamp } from './open-timestamps.ts'
import { isSameAttestation } from './ots-attestation.ts'
import { isSameOperation } from './ots-operation.ts'
import type { EvidenceFailure } from './refusal.ts'

/** What a calendar promised: it is asked for `commitment` at `uri`. */
export interface PendingAttestation {
  readonly uri: string
  readonly commitment: Uint8Array
}

/** The promises of calendars in a proof, in the order of the file, kept or not. */
export function pendingAttestations({ timestamp }: OtsProof): readonly PendingAttestation[] {
  return attestationsOf(timestamp).flatMap(({ attestation, message }) =>
    attestation.kind === 'pending' ? [{ uri: attestation.uri, commitment: message }] : []
  )
}

/**
 * The proof with what a calendar answered about a commitment added wherever the commitment stands in it (SPEC BE-20).
 * What the proof held stays, in its order; what it held already is not added. `OTS_MALFORMED` where the answer does not
 * have the form (SPEC BE-17), or with it the proof exceeds a limit. Throws `RangeError` where nothing is known about
 * the commitment.
 */
export function withUpgrade(
  proof: OtsProof,
  commitment: Uint8Array,
  answer: Uint8Array
): { readonly ok: true; readonly proof: OtsProof } | EvidenceFailure {
  const reading = parseOtsTimestamp(answer, commitment)
  if (!reading.ok) return reading
  if (!holds(proof.timestamp, commitment)) throw new RangeError('the proof does not hold the commitment')
  const timestamp = upgraded(proof.timestamp, reading.timestamp)
  // Limits on depth and size hold for the whole, so it is read as a file would be.
  return parseOtsProof(encodeOtsProof({ hash: proof.hash, timestamp }))
}

function holds({ message, branches }: OtsTimestamp, commitment: Uint8Array): boolean {
  if (equalBytes(message, commitment)) return true
  return branches.some((branch) => 'timestamp' in branch && holds(branch.timestamp, commitment))
}

function upgraded(timestamp: OtsTimestamp, added: OtsTimestamp): OtsTimestamp {
  const branches = timestamp.branches.map((branch): OtsBranch => {
    if ('attestation' in branch) return branch
    return { operation: branch.operation, timestamp: upgraded(branch.timestamp, added) }
  })
  const below = { message: timestamp.message, branches }
  return equalBytes(timestamp.message, added.message) ? merged(below, added) : below
}

/** Both are about one message. */
function merged({ message, branches }: OtsTimestamp, added: OtsTimestamp): OtsTimestamp {
  const all = [...branches]
  for (const branch of added.branches) {
    const at = all.findIndex((known) => isSameStep(known, branch))
    if ('attestation' in branch) {
      if (at === -1) all.push(branch)
      continue
    }
    const { operation, timestamp: next } = branch
    const known = all[at]
    // What is new is merged too, with nothing: an answer may say a thing twice.
    const before =
      known !== undefined && 'timestamp' in known ? known.timestamp : { message: next.message, branches: [] }
    all.splice(at === -1 ? all.length : at, 1, { operation, timestamp: merged(before, next) })
  }
  return { message, branches: all }
}

function isSameStep(left: OtsBranch, right: OtsBranch): boolean {
  if ('attestation' in left) return 'attestation' in right && isSameAttestation(left.attestation, right.attestation)
  return 'operation' in right && isSameOperation(left.operation, right.operation)
}
