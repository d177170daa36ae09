import canonicalize from 'canonicalize'
import { base58btc } from 'multiformats/bases/base58'
import { hex, keyOf, sha256 } from './vector-file.ts'
import type { LabelledKey } from './vector-file.ts'

/** A key pair with the names under which it signs. */
export interface Author extends LabelledKey {
  readonly did: string
  readonly kid: string
}

/** An envelope as it is to be written, right or wrong. */
export type EnvelopeParts = Readonly<Record<string, unknown>>

/** An author with a `did:key`, made from a label. */
export function authorOf(label: string): Author {
  const key = keyOf(`anchormesh vectors: ${label}`)
  const kid = base58btc.encode(Buffer.concat([Buffer.of(0xed, 0x01), key.publicKey]))
  return { ...key, did: `did:key:${kid}`, kid }
}

export const ada = authorOf('ada')
export const bob = authorOf('bob')

/** 2026-01-01T00:00:00Z. */
export const TS = 1_767_225_600_000

/** A hash that stands for something else, told apart by its label. */
export function hashOf(label: string): string {
  return hex(sha256(label))
}

export const smallAnnounce = { batchId: 'batch-1', batchRoot: hashOf('root'), receiptCount: 3, timestampAnchors: [] }

/** Ada's first event in a namespace, with some members replaced. */
export function envelopeOf(changes: EnvelopeParts = {}): EnvelopeParts {
  return {
    authorSeq: 1,
    body: smallAnnounce,
    kid: ada.kid,
    namespace: 'dao:vaultmesh',
    prev: null,
    signer: ada.did,
    ts: TS,
    type: 'announce',
    v: 1,
    ...changes
  }
}

export function canonicalOf(value: unknown): Buffer {
  return Buffer.from(canonicalize(value) as string)
}

export function headerOf(kid: string, type: string): string {
  const text = `{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"anchormesh.event.${type}.v1+jws"}`
  return Buffer.from(text).toString('base64url')
}

export interface Entry {
  readonly protected: string
  readonly signature: string
}

/** One entry of the signature part. */
export function entryOf(author: Author, type: string, canonical: Uint8Array, kid: string = author.kid): Entry {
  const header = headerOf(kid, type)
  const signature = author.sign(Buffer.concat([Buffer.from(`${header}.`), canonical]))
  return { protected: header, signature: signature.toString('base64url') }
}

/** The signature part: entries in the order in which they are given. */
export function signaturesOf(...entries: readonly unknown[]): Buffer {
  return canonicalOf({ signatures: entries })
}

/** A length, the canonical bytes, the signature part. */
export function wireOf(canonical: Uint8Array, signatures: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(canonical.length)
  return Buffer.concat([length, canonical, signatures])
}

/** The wire bytes of an envelope under signatures of its authors, who sign with their kids unless told otherwise. */
export function signedWire(envelope: EnvelopeParts, ...authors: readonly Author[]): Buffer {
  const canonical = canonicalOf(envelope)
  const type = String(envelope['type'])
  return wireOf(
    canonical,
    signaturesOf(...(authors.length === 0 ? [ada] : authors).map((author) => entryOf(author, type, canonical)))
  )
}

/** RFC 6962 over a few leaves: hash of the data of one, or of the two halves. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return sha256(Buffer.concat([Buffer.of(0), leaves[0] as Buffer]))
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha256(Buffer.concat([Buffer.of(1), rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split))]))
}
