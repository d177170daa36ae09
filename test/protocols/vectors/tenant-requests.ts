import { ada, bob, canonicalOf, hashOf, TS } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

export type Parts = Readonly<Record<string, unknown>>
export type Purpose = 'telemetry' | 'feedback'

const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const NONCE_BYTES = sha256('a nonce').subarray(0, 16)

/** Members of every request that speaks for a tenant. */
export function requestOf(changes: Parts): Parts {
  return {
    audience: bob.did,
    kid: ada.kid,
    nonce: base64url(NONCE_BYTES),
    signer: ada.did,
    tenant: 'vaultmesh',
    v: 1,
    ...changes
  }
}

export function without(value: Parts, ...members: readonly string[]): Parts {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !members.includes(name)))
}

export function entryOf(signed: Parts, purpose: Purpose, author: Author = ada): Parts {
  const text = `{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${author.kid}","typ":"anchormesh.${purpose}.v1+jws"}`
  const header = base64url(text)
  const input = Buffer.concat([Buffer.from(`${header}.`), canonicalOf(signed)])
  return { protected: header, signature: base64url(author.sign(input)) }
}

export const bodyOf = (signed: Parts, purpose: Purpose): Parts => ({ signed, signatures: [entryOf(signed, purpose)] })

/** What of a good body is the same in every implementation. */
export function validOf(description: string, signed: Parts, purpose: Purpose, text?: string): Vector {
  const body = bodyOf(signed, purpose)
  return {
    description,
    body: text ?? JSON.stringify(body),
    canonical: canonicalOf(signed).toString(),
    id: hex(sha256(canonicalOf(signed))),
    bodyHash: hex(sha256(canonicalOf(body))),
    publicKey: hex(ada.publicKey)
  }
}

/** Bodies of which nothing but what the description says is wrong. */
export function invalidBodies(
  purpose: Purpose,
  rules: { readonly size: string; readonly form: string; readonly signature: string; readonly members: string },
  limits: { readonly bytesMax: number },
  valid: (changes?: Parts) => Parts
): Vector[] {
  const bytes = (description: string, rule: string, code: string, body: string): Vector => ({
    description,
    rule,
    code,
    body: hex(Buffer.from(body))
  })
  const json = (description: string, rule: string, code: string, body: unknown): Vector =>
    bytes(description, rule, code, JSON.stringify(body))
  const members = (description: string, signed: Parts): Vector =>
    json(description, rules.members, 'SCHEMA_INVALID', bodyOf(signed, purpose))
  const good = valid()
  const text = JSON.stringify(bodyOf(good, purpose))
  const [first] = [entryOf(good, purpose)]
  const other: Purpose = purpose === 'telemetry' ? 'feedback' : 'telemetry'
  return [
    {
      description: 'a byte too many',
      rule: rules.size,
      code: 'BODY_TOO_LARGE',
      repeat: '20',
      count: limits.bytesMax + 1
    },
    bytes('no JSON', rules.form, 'MALFORMED', '{"signed":'),
    bytes('a second nonce', rules.form, 'DUPLICATE_KEY', text.replace('"nonce":', '"nonce":"","nonce":')),
    bytes('a number beyond 2^53', rules.form, 'NUMBER_NOT_IJSON', text.replace('"v":1', '"v":9007199254740993')),
    bytes('a lone surrogate', rules.form, 'LONE_SURROGATE', text.replace('"vaultmesh"', String.raw`"\ud800"`)),
    json('no signatures', rules.form, 'SCHEMA_INVALID', { signed: good }),
    json('a third member', rules.form, 'SCHEMA_INVALID', { ...bodyOf(good, purpose), more: 1 }),
    json('two signatures', rules.form, 'SIGNATURE_INVALID', { signed: good, signatures: [first, first] }),
    json('the signature of another kid', rules.form, 'SIGNATURE_INVALID', {
      signed: good,
      signatures: [entryOf(good, purpose, bob)]
    }),
    json('signed for another purpose', rules.signature, 'SIGNATURE_INVALID', {
      signed: good,
      signatures: [entryOf(good, other)]
    }),
    ...Object.keys(good).map((member) => members(`no ${member}`, without(good, member))),
    members('an unknown member', valid({ limit: 1 })),
    members('another version', valid({ v: 2 })),
    members('an audience that is no DID', valid({ audience: 'bob' })),
    members('a nonce of 15 bytes', valid({ nonce: base64url(NONCE_BYTES.subarray(1)) })),
    members('a tenant in upper case', valid({ tenant: 'Vaultmesh' })),
    members('a tenant of 65 characters', valid({ tenant: 'a'.repeat(65) }))
  ]
}

export const MEASUREMENT = hashOf('a measured environment')

/** TM-10, without the codec. */
export function fingerprintOf(changes: Parts = {}): { readonly facts: Parts; readonly fingerprint: string } {
  const facts = {
    attestationMeasurementHash: MEASUREMENT,
    executionId: 'run-1',
    kid: ada.kid,
    signer: ada.did,
    tenant: 'vaultmesh',
    ...changes
  }
  return { facts, fingerprint: hex(sha256(canonicalOf({ ...facts, type: 'anchormesh.execution-fingerprint.v1' }))) }
}

export { TS }
