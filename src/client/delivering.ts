import { z } from 'zod'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { decodeReceiptAnswer } from '../../protocols/delivery/v1/receipt.ts'
import type { SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { NONCE_BYTES, encodeChallenge, encodeDelivery } from '../../protocols/delivery/v1/request.ts'
import type { Challenge } from '../../protocols/delivery/v1/request.ts'
import { SIGNED_BODY_BYTES_MAX } from '../../protocols/delivery/v1/signed-body.ts'
import { toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type { NodeDocument } from '../api/answers.ts'
import type { LogInclusionAnswer } from '../api/log-proofs.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import { documentKeys } from '../proofs/node-keys.ts'
import { isInLog, verifyReceipt } from '../proofs/receipt-check.ts'
import { ClientError, verificationFailed } from './errors.ts'
import type { Verifier } from './verify/verifier.ts'

/** Whose key signs what an app sends. The key stays where it is. */
export interface AppSigner {
  readonly did: string
  /** The name of the key among the DID's keys. */
  readonly kid: string
  /** The Ed25519 signature (64 bytes) over `bytes`, such as that of `crypto.subtle.sign`. */
  sign(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer | Uint8Array> | ArrayBuffer | Uint8Array
}

/** What is delivered, to which namespace of the node. */
export interface DeliveryRequest {
  readonly namespace: string
  readonly payload: JsonObject
  readonly signer: AppSigner
}

/** A delivery that was taken, and whose receipt holds. `receipt` and `body` together prove it to anybody. */
export interface Delivered {
  readonly receipt: SignedReceipt
  /** SHA-256 of what was signed, hex: the delivery's name in the node's log. */
  readonly deliveryHash: string
  /** What was sent. */
  readonly body: string
  /** By what the receipt's key is known: to the app (`verify`), or by the node's own word. */
  readonly keyKnownBy: 'app' | 'node'
}

const givenToken = z.object({ token: z.string().min(1), expiresAt: z.int() })
export type GivenToken = z.output<typeof givenToken>

export interface DeliveringPorts {
  /** Sends JSON text, and reads what is answered. */
  readonly post: <Answer>(path: string, text: string, read: (text: string) => Answer) => Promise<Answer>
  readonly nodeDocument: () => Promise<NodeDocument>
  readonly inclusion: (logSeq: number, size: number) => Promise<LogInclusionAnswer>
  readonly parse: <Answer>(schema: z.ZodType<Answer>, text: string) => Answer
  /** Checks by what the app knows; null: the node's word is taken for who it is. */
  readonly verifier: Verifier | null
  /** That the log of a receipt's checkpoint is the one that the node shows everybody. */
  readonly requireSameLog: (note: string) => Promise<void>
  readonly clock: Clock
  readonly random: Random
}

/** Asks for a token for one delivery. Rejects as the signer does. */
export async function askChallenge(signer: AppSigner, ports: DeliveringPorts): Promise<GivenToken> {
  return await challenge(signer, (await receiverOf(ports)).did, ports)
}

/**
 * Delivers, and holds the receipt against what was sent, against the receiver's key, and against the log. Throws
 * `DELIVERY_INVALID`, and `VERIFICATION_FAILED` where the receipt does not hold: `RECEIPT_INVALID`, `KEY_UNKNOWN`,
 * `NOT_IN_LOG`, and with `verify` those of `judgeLog`. Rejects as the signer does.
 */
export async function deliver(
  { namespace, payload, signer }: DeliveryRequest,
  ports: DeliveringPorts
): Promise<Delivered> {
  const { did: receiver, document } = await receiverOf(ports)
  const { token } = await challenge(signer, receiver, ports)
  const delivery = { ...requestOf(signer, receiver, ports), namespace, payload, token }
  const { body, hash: deliveryHash } = await encoded(encodeDelivery(delivery, signing(signer)))
  const bytes = utf8(body).length
  if (bytes > SIGNED_BODY_BYTES_MAX)
    throw invalid(`the delivery has ${bytes} bytes, at most ${SIGNED_BODY_BYTES_MAX} are taken`)
  const answer = await ports.post('v1/federation/deliver', body, (text) => decodeReceiptAnswer(utf8(text)))
  if (!answer.ok) throw verificationFailed(answer.code, answer.detail)
  const { verifier } = ports
  const keysOf = (kid: string): readonly CheckedPublicKey[] =>
    verifier === null ? documentKeys(document ?? { did: receiver, keys: [] }, kid) : verifier.keysOf(receiver, kid)
  const { signed: receipt, note } = answer.decoded
  const verdict = verifyReceipt({ receipt, sender: signer.did, receiver, deliveryHash, keysOf })
  if (!verdict.ok) throw verificationFailed(verdict.code, verdict.detail)
  const { proof } = await ports.inclusion(receipt.logSeq, note.size)
  if (!isInLog(verdict, proof))
    throw verificationFailed('NOT_IN_LOG', `no proof leads from position ${receipt.logSeq} to the receipt’s checkpoint`)
  if (verifier !== null) await ports.requireSameLog(receipt.checkpoint)
  return { receipt, deliveryHash, body, keyKnownBy: verifier === null ? 'node' : 'app' }
}

/** Whom requests are for. Where the app says whose log it means, nobody else is asked. */
async function receiverOf({
  verifier,
  nodeDocument
}: DeliveringPorts): Promise<{ readonly did: string; readonly document: NodeDocument | null }> {
  const known = verifier?.logOf
  if (known !== undefined) return { did: known, document: null }
  const document = await nodeDocument()
  return { did: document.did, document }
}

async function challenge(signer: AppSigner, audience: string, ports: DeliveringPorts): Promise<GivenToken> {
  const { body } = await encoded(encodeChallenge(requestOf(signer, audience, ports), signing(signer)))
  return await ports.post('v1/federation/challenge', body, (text) => ports.parse(givenToken, text))
}

function requestOf({ did, kid }: AppSigner, audience: string, { clock, random }: DeliveringPorts): Challenge {
  return { v: 1, signer: did, kid, audience, ts: clock.now(), nonce: toBase64url(random.bytes(NONCE_BYTES)) }
}

function signing(signer: AppSigner): (input: Uint8Array) => Promise<Uint8Array> {
  return async (input) => {
    try {
      return new Uint8Array(await signer.sign(new Uint8Array(input)))
    } catch (error) {
      throw new SignerFailure(error)
    }
  }
}

/** What the app's signer failed with, apart from what the codec says of a payload. */
class SignerFailure extends Error {
  constructor(cause: unknown) {
    super('the signer failed', { cause })
    this.name = 'SignerFailure'
  }
}

async function encoded<Body>(encoding: Promise<Body>): Promise<Body> {
  try {
    return await encoding
  } catch (error) {
    if (error instanceof SignerFailure) throw error.cause
    if (error instanceof TypeError) throw invalid(`what is delivered is not of I-JSON: ${error.message}`, error)
    throw error
  }
}

function invalid(detail: string, cause?: unknown): ClientError {
  return new ClientError('DELIVERY_INVALID', detail, cause === undefined ? {} : { cause })
}
