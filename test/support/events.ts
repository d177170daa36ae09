import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { canonicalEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { TestMember } from './identities.ts'
import { NAMESPACE } from './identities.ts'

export interface SignedEvent {
  readonly id: string
  readonly envelope: Envelope
  readonly wire: Uint8Array
}

/** Any envelope, signed by the member's key whatever it says. */
export async function signed(author: TestMember, envelope: Envelope): Promise<SignedEvent> {
  const canonical = canonicalEvent(envelope)
  const signature = await author.signer.sign(eventSigningInput(envelope.type, author.signer.kid, canonical))
  return { id: eventId(canonical), envelope, wire: encodeEvent(envelope, [{ kid: author.signer.kid, signature }]) }
}

/** The event after `before` (`null`: the first) in the author's chain of the namespace. */
export async function next(
  author: TestMember,
  before: SignedEvent | null,
  body: JsonObject,
  options: { readonly type?: string; readonly namespace?: string; readonly ts?: number } = {}
): Promise<SignedEvent> {
  return await signed(author, {
    v: 1,
    type: options.type ?? 'announce',
    namespace: options.namespace ?? NAMESPACE,
    signer: author.signer.did,
    kid: author.signer.kid,
    authorSeq: (before?.envelope.authorSeq ?? 0) + 1,
    prev: before?.id ?? null,
    ts: options.ts ?? (before?.envelope.ts ?? 1_700_000_000_000) + 1,
    body
  })
}

/** An announce body with one token-like timestamp anchor that differs by name. */
export function announceBody(
  batchId: string,
  options: { readonly owner?: string; readonly rootOf?: string } = {}
): JsonObject {
  return {
    ...(options.owner === undefined ? {} : { owner: options.owner }),
    batchId,
    batchRoot: sha256Hex(options.rootOf ?? batchId),
    receiptCount: 3,
    timestampAnchors: [{ chainId: 'rfc3161:test', token: Buffer.from(`token over ${batchId}`).toString('base64url') }]
  }
}
