import { createHash } from 'node:crypto'
import { Point, utils } from '@noble/ed25519'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { decodeEvent, encodeEvent, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import { concat, toBase64url, utf8 } from '../../protocols/primitives/bytes.ts'
import { protectedHeader, signingInput } from '../../protocols/signature/v1/jws.ts'
import type { TestMember } from '../support/identities.ts'

/** Wire bytes of any event text and any signatures text: length, event, signatures. */
export function frame(event: string | Uint8Array, signatures: string | Uint8Array): Uint8Array {
  const eventBytes = typeof event === 'string' ? utf8(event) : event
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, eventBytes.length)
  return concat(length, eventBytes, typeof signatures === 'string' ? utf8(signatures) : signatures)
}

/**
 * Any bytes as the event, signed as if they were one: whatever is wrong with them, the signature is good. `type` and
 * `kid` stand in the protected header.
 */
export async function signedText(
  author: TestMember,
  text: string,
  options: { readonly type?: string; readonly kid?: string } = {}
): Promise<Uint8Array> {
  const { type = 'announce', kid = author.signer.kid } = options
  const signature = await author.signer.sign(eventSigningInput(type, kid, utf8(text)))
  const header = protectedHeader(kid, `anchormesh.event.${type}.v1+jws`)
  return frame(text, encodeCanonical({ signatures: [{ protected: header, signature: toBase64url(signature) }] }))
}

/** The event under a second good signature: Ed25519 with a nonce of the signer's choice instead of the standard's. */
export async function signedAgain(wire: Uint8Array, seed: Uint8Array, author: TestMember): Promise<Uint8Array> {
  const decoded = decodeEvent(wire)
  if (!decoded.ok) throw new Error(decoded.detail)
  const { canonical, envelope } = decoded.event
  const { kid, publicKey } = author.signer
  const message = eventSigningInput(envelope.type, kid, canonical)
  const { scalar } = await utils.getExtendedPublicKeyAsync(seed)
  const nonce = 0x1234_5678_9abc_def0n
  const commitment = Point.BASE.multiply(nonce).toBytes()
  const digest = createHash('sha512').update(commitment).update(publicKey).update(message).digest()
  const challenge = BigInt(`0x${digest.reverse().toString('hex')}`)
  const order = Point.CURVE().n
  const response = (nonce + ((challenge * scalar) % order)) % order
  const littleEndian = Buffer.from(response.toString(16).padStart(64, '0'), 'hex').reverse()
  return encodeEvent(envelope, [{ kid, signature: concat(commitment, littleEndian) }])
}

/** The event text with a signature for another purpose. */
export async function signedFor(author: TestMember, text: string, typ: string): Promise<Uint8Array> {
  const { kid } = author.signer
  const signature = await author.signer.sign(signingInput(protectedHeader(kid, typ), utf8(text)))
  return frame(
    text,
    encodeCanonical({ signatures: [{ protected: protectedHeader(kid, typ), signature: toBase64url(signature) }] })
  )
}

/** The text of an announce by `author` as canonical JSON, with members replaced. */
export function eventText(author: TestMember, members: JsonObject = {}): string {
  return encodeCanonical({
    v: 1,
    type: 'announce',
    namespace: 'dao:test',
    signer: author.signer.did,
    kid: author.signer.kid,
    authorSeq: 1,
    prev: null,
    ts: 1_700_000_000_000,
    body: {},
    ...members
  })
}

/** The same event with other signature bytes: well-formed (R is a point, S below the order), but not good. */
export function garbageSignature(wire: Uint8Array, fill: number = 7): Uint8Array {
  const eventLength = new DataView(wire.buffer, wire.byteOffset).getUint32(0)
  const event = wire.slice(4, 4 + eventLength)
  const signatures = JSON.parse(Buffer.from(wire.subarray(4 + eventLength)).toString('utf8')) as {
    signatures: { protected: string; signature: string }[]
  }
  const garbage = signatures.signatures.map((entry) => ({
    protected: entry.protected,
    signature: toBase64url(Uint8Array.from({ length: 64 }, (_, index) => (index === 63 ? 0 : fill)))
  }))
  return frame(event, encodeCanonical({ signatures: garbage }))
}
