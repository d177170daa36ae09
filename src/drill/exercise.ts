import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { isJsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { Signer } from '../trust/signer.ts'
import { nodeDocumentSchema } from './node-document.ts'
import type { NodeDocument } from './node-document.ts'
import { proveReceipt } from './prove-receipt.ts'
import { failedReply, refusedWith, succeeded } from './replies.ts'
import type { DrillTarget, Exercise } from './drill-target.ts'
import type { StepResult } from './steps.ts'
import { takeBack } from './take-back.ts'
import { objectIn, tokenOf } from './target-calls.ts'
import type { MadeDelivery } from './target-calls.ts'
import { tryToCheat, trySpentToken, waitForExpiry } from './cheats.ts'

/** What a drill has in hand at its end; null where it did not come so far. */
export interface Findings {
  readonly nodeDocument: JsonObject | null
  readonly targetVersion: string | null
  /** Hex. */
  readonly deliveryHash: string | null
  readonly receipt: JsonObject | null
  readonly inclusionProof: readonly string[] | null
}

// A node document, or a receipt with its checkpoint, has a few kilobytes.
const KEPT_CHARS_MAX = 65_536
const VERSION_CHARS_MAX = 64

/** Goes through all steps, and takes the keys back whatever happens. Rejects with the signal's reason alone. */
export async function goThrough(exercise: Exercise): Promise<Findings> {
  const registered: Signer[] = []
  try {
    return await take(exercise, registered)
  } finally {
    await takeBack(exercise, registered)
  }
}

async function take(exercise: Exercise, registered: Signer[]): Promise<Findings> {
  const { calls, steps, signer, ports, drillId, target } = exercise
  const document = await steps.take('node-document', [], () => readDocument(exercise))
  const node = document?.node ?? null
  const identity = await steps.take('identity', [node], (found) => Promise.resolve(checkIdentity(target, found)))
  const status = await steps.take('admin-status', [node, identity], (found) => readStatus(exercise, found))
  const did = node?.did ?? null
  await steps.take('unknown-node', [did, status], async (audience) =>
    refusedWith(await calls.challenge(signer, audience), 403, 'NODE_UNKNOWN')
  )
  const known = await steps.take('register', [did, status], () => register(exercise, signer, registered))
  const token = await steps.take('challenge', [did, known], async (audience) =>
    succeeded(await calls.challenge(signer, audience), 201, (reply) => tokenOf(reply)?.token)
  )
  const payload: JsonObject = {
    drill: { drillId, target: target.name, remoteNodeId: target.remoteNodeId, version: ports.version }
  }
  const members = did === null || status === null ? null : { audience: did, namespace: status.namespace, payload }
  await tryToCheat(exercise, { members, token }, (other) => register(exercise, other, registered))
  let made: MadeDelivery | null = null
  const receipt = await steps.take('delivery', [members, token], async (said, good) => {
    made = await calls.makeDelivery(signer, { ...said, token: good })
    return succeeded(await calls.deliver(made.body), 201, (reply) => keepable(exercise, objectIn(reply)?.['receipt']))
  })
  const delivery = made as MadeDelivery | null
  const inclusionProof = await proveReceipt(exercise, { node, receipt, deliveryHash: delivery?.hash ?? null })
  await steps.take('replay-guard', [receipt, delivery], async (_taken, { body }) =>
    refusedWith(await calls.deliver(body), 401, 'SIGNATURE_INVALID', 'replay')
  )
  await trySpentToken(exercise, { members, token, receipt })
  if (target.waitForExpiry === true) await waitForExpiry(exercise, members)
  return {
    nodeDocument: document?.kept ?? null,
    targetVersion: status?.version ?? null,
    deliveryHash: delivery?.hash ?? null,
    receipt,
    inclusionProof
  }
}

async function readDocument(
  exercise: Exercise
): Promise<StepResult<{ readonly node: NodeDocument; readonly kept: JsonObject }>> {
  return succeeded(await exercise.calls.nodeDocument(), 200, (reply) => {
    const kept = keepable(exercise, objectIn(reply))
    const parsed = nodeDocumentSchema.safeParse(kept)
    return kept !== undefined && parsed.success ? { node: parsed.data, kept } : undefined
  })
}

/** Whether the target is whom who runs the drill thinks it is. */
function checkIdentity({ pins, remoteNodeId }: DrillTarget, { did }: NodeDocument): StepResult<true> {
  const expected = pins?.did ?? (remoteNodeId.startsWith('did:key:') ? remoteNodeId : null)
  if (expected !== null && expected !== did)
    return { passed: false, code: 'OTHER_NODE', detail: `the target says that it is ${did}, not ${expected}` }
  return { passed: true, value: true, detail: expected === null ? 'nothing is pinned' : `it is ${did}` }
}

/** What only the operator of the target learns: that the admin listener is that of the same node, and where to deliver. */
async function readStatus(
  { calls, target }: Exercise,
  { did }: NodeDocument
): Promise<StepResult<{ readonly namespace: string; readonly version: string | null }>> {
  const reply = await calls.adminStatus()
  const status = reply.ok && reply.status === 200 ? objectIn(reply) : null
  if (!reply.ok || status === null) return failedReply(reply)
  const answered = { status: reply.status }
  if (status['did'] !== did)
    return { passed: false, ...answered, code: 'OTHER_NODE', detail: 'the admin listener is that of another node' }
  const { namespaces, version } = status
  const carried = (Array.isArray(namespaces) ? namespaces : []).flatMap((one: unknown) => {
    const name = (one as { readonly namespace?: unknown } | null)?.namespace
    return typeof name === 'string' && name !== '_trust' ? [name] : []
  })
  const namespace = target.namespace ?? carried.toSorted()[0]
  if (namespace === undefined)
    return { passed: false, ...answered, code: 'NAMESPACE_NOT_CARRIED', detail: 'the target carries no namespace' }
  const shown = typeof version === 'string' && /^[\w.+-]+$/.test(version) ? version.slice(0, VERSION_CHARS_MAX) : null
  return { passed: true, ...answered, value: { namespace, version: shown }, detail: `delivers to ${namespace}` }
}

async function register({ calls }: Exercise, key: Signer, registered: Signer[]): Promise<StepResult<true>> {
  // Whatever the answer is, or says: it may have been registered.
  registered.push(key)
  const reply = await calls.register(key)
  return succeeded(reply, 201, () => true)
}

/** What of an answer may be kept in the report: an object of I-JSON that is not too large and holds no token. */
function keepable({ ports }: Exercise, value: unknown): JsonObject | undefined {
  try {
    // One level deeper, as it will stand there.
    const text = encodeCanonical({ value })
    if (text.length > KEPT_CHARS_MAX || ports.secrets.areIn(text)) return undefined
  } catch {
    // What I-JSON can't hold no report can hold.
    return undefined
  }
  return isJsonObject(value as JsonObject) ? (value as JsonObject) : undefined
}
