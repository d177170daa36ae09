import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { HASH_PATTERN } from '../../protocols/event/v1/envelope.ts'
import type { Exercise } from './drill-target.ts'
import { documentKeys, pinnedKeys } from '../proofs/node-keys.ts'
import type { NodeDocument } from './node-document.ts'
import { isInLog, verifyReceipt } from '../proofs/receipt-check.ts'
import type { ReceiptVerdict } from '../proofs/receipt-check.ts'
import { failedReply } from './replies.ts'
import type { StepResult } from './steps.ts'
import { objectIn } from './target-calls.ts'

type GoodReceipt = Extract<ReceiptVerdict, { ok: true }>

// A log of 2^64 records has paths of 64 hashes.
const PROOF_HASHES_MAX = 64

/** Checks the receipt, by the node document and by the pinned keys, and has the target prove that its log says so. */
export async function proveReceipt(
  exercise: Exercise,
  found: {
    readonly node: NodeDocument | null
    readonly receipt: JsonObject | null
    readonly deliveryHash: string | null
  }
): Promise<readonly string[] | null> {
  const { steps, target, signer } = exercise
  const { node, receipt, deliveryHash } = found
  const { pins } = target
  const good = await steps.take('receipt-signature', [node, receipt, deliveryHash], (document, answered, hash) => {
    const asked = { receipt: answered, sender: signer.did, receiver: document.did, deliveryHash: hash }
    return Promise.resolve(resultOf(verifyReceipt({ ...asked, keysOf: (kid) => documentKeys(document, kid) })))
  })
  if (pins !== undefined) {
    await steps.take('receipt-pinned-key', [receipt, deliveryHash, good], (answered, hash) => {
      const asked = { receipt: answered, sender: signer.did, receiver: pins.did, deliveryHash: hash }
      return Promise.resolve(resultOf(verifyReceipt({ ...asked, keysOf: (kid) => pinnedKeys(pins, kid) })))
    })
  }
  return await steps.take('log-inclusion', [good], (verdict) => proveInclusion(exercise, verdict))
}

function resultOf(verdict: ReceiptVerdict): StepResult<GoodReceipt> {
  if (!verdict.ok) return { passed: false, code: verdict.code, detail: verdict.detail }
  const { kid, logSeq } = verdict.decoded.receipt
  return { passed: true, value: verdict, detail: `signed by ${kid}, for log position ${logSeq}` }
}

async function proveInclusion({ calls }: Exercise, verdict: GoodReceipt): Promise<StepResult<readonly string[]>> {
  const { receipt, note } = verdict.decoded
  const reply = await calls.inclusion(receipt.logSeq, note.size)
  if (!reply.ok || reply.status !== 200) return failedReply(reply)
  const proof = objectIn(reply)?.['proof']
  const { status } = reply
  if (!isProof(proof))
    return { passed: false, status, code: 'UNEXPECTED_ANSWER', detail: 'the answer holds no inclusion proof' }
  if (!isInLog(verdict, proof))
    return {
      passed: false,
      status,
      code: 'INCLUSION_INVALID',
      detail: 'the log does not have the delivery where the receipt says'
    }
  return { passed: true, status, value: proof, detail: `record ${receipt.logSeq} of ${note.size}` }
}

function isProof(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= PROOF_HASHES_MAX &&
    value.every((hash: unknown) => typeof hash === 'string' && HASH_PATTERN.test(hash))
  )
}
