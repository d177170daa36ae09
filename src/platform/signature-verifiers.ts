import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { writeSigningInput } from '../../protocols/signature/v1/jws.ts'

/** One signature under one key. The bytes must not change until it is answered. */
export interface SignatureJob {
  readonly key: CheckedPublicKey
  /** The protected header (base64url) that is signed before the payload; `null` where the payload alone is signed. */
  readonly protected: string | null
  readonly payload: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/**
 * Verification of many signatures as a port, so that a node may use all cores and a simulation one thread. Whoever
 * answers, the rule is `verifyEd25519`.
 */
export interface SignatureVerifiers {
  /** From how many signatures on it is worth asking; absent: as many as are worth waking threads for. */
  readonly sharedFrom?: number
  /** Whether each signature is good, in the order of the jobs. A rejected promise is a defect. */
  verify(jobs: readonly SignatureJob[]): Promise<readonly boolean[]>
  /** Answers what is under way and lets go of its threads. What is asked later is answered all the same. */
  close(): Promise<void>
}

// An event has at most 49,152 bytes, its header at most 400 characters: kid and type are bounded.
const input = new Uint8Array(EVENT_BYTES_MAX + 1_024)

/** Verifies one signature at once, in this thread. */
export function verifyJob(job: SignatureJob): boolean {
  // Verified before anything else runs, so one place for all of them will do.
  const signed = job.protected === null ? job.payload : input.subarray(0, writeJobInput(job, input))
  return verifyEd25519(job.key, signed, job.signature)
}

/** How many bytes `writeJobInput` writes. */
export function jobInputBytes({ protected: header, payload }: SignatureJob): number {
  return header === null ? payload.length : header.length + 1 + payload.length
}

/** Writes what is signed at the beginning of `target`. Returns its length in bytes. */
export function writeJobInput({ protected: header, payload }: SignatureJob, target: Uint8Array): number {
  if (header !== null) return writeSigningInput(header, payload, target)
  target.set(payload)
  return payload.length
}

/** Answers in this thread, always in the same order: for simulations. */
export const inThreadVerifiers: SignatureVerifiers = {
  verify: async (jobs) => jobs.map(verifyJob),
  close: async () => {}
}
