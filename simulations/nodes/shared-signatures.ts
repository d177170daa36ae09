import { createHash } from 'node:crypto'
import { BoundedMap } from '../../src/platform/bounded-map.ts'
import type { SignatureJob, SignatureVerifiers } from '../../src/platform/signature-verifiers.ts'
import { inThreadVerifiers, verifyJob } from '../../src/platform/signature-verifiers.ts'

// What is under way in a mesh at one time, and what one side of a partition gathers in an hour at 20 events a second:
// about 8 MiB.
const REMEMBERED_MAX = 65_536

/** Each node verifies for itself, in the same order of work as with shared verdicts: the runs are the same. */
export const ownSignatures: SignatureVerifiers = { ...inThreadVerifiers, sharedFrom: 1 }

/** Verifies each signature once for all nodes of a run: the rule is a pure function, so their verdicts are the same. */
export function sharedSignatures(rememberedMax: number = REMEMBERED_MAX): SignatureVerifiers {
  const known = new BoundedMap<string, boolean>(rememberedMax)
  const verify = (job: SignatureJob): boolean => {
    const name = nameOf(job)
    const remembered = known.get(name)
    if (remembered !== undefined) return remembered
    const isGood = verifyJob(job)
    known.set(name, isGood)
    return isGood
  }
  return { sharedFrom: 1, verify: async (jobs) => jobs.map(verify), close: async () => {} }
}

/** Lengths are given: what is a byte of one part is never taken for one of the next. */
function nameOf({ key, protected: header, payload, signature }: SignatureJob): string {
  const head = header === null ? '' : `.${header}`
  return createHash('sha256')
    .update(`${key.bytes.length} ${signature.length} ${head.length} `)
    .update(key.bytes)
    .update(signature)
    .update(head)
    .update(payload)
    .digest('base64')
}
