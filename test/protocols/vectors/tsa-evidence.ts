import {
  AUTHORITY,
  certificate,
  crl,
  digest,
  extension,
  integer,
  octets,
  purposes,
  sequence,
  SIGNER
} from './tsa-der.ts'
import type { Made, Wanted } from './tsa-der.ts'
import { contentType, essCertificate, essCertificates, messageDigest, response, token, tstInfo } from './tsa-token.ts'
import type { Info, TokenOptions } from './tsa-token.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const ROOT = sha256('the root of a batch')
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

const root = certificate('tsa root')
const other = certificate('another tsa root')
const middle = certificate('tsa authority', { issuer: root, serial: 2 })
const signerOf = (wanted: Wanted = {}): Made =>
  certificate('tsa', { issuer: root, serial: 3, extensions: SIGNER, ...wanted })
const signer = signerOf()
const under = certificate('tsa', { issuer: middle, serial: 4, extensions: SIGNER })

/** The vectors of tsa-evidence/v1. */
export function tsaEvidenceVectors(): readonly VectorFile[] {
  const members =
    'Evidence, with the batch root (hex) and what policy says: roots and certificates in DER; evidence and these as base64url, the nonce as a decimal number where one was sent.'
  return [
    {
      path: 'tsa-evidence/v1/vectors/tokens.json',
      description: `${members} Position and proven time are in milliseconds since 1970; chain is the SHA-256 of its certificates (hex).`,
      vectors: valid()
    },
    {
      path: 'tsa-evidence/v1/vectors/tokens-invalid.json',
      description: `${members} With the rule that is broken and the code.`,
      vectors: invalid()
    }
  ]
}

interface Policy {
  readonly roots?: readonly Made[]
  readonly certificates?: readonly Made[]
  readonly policies?: readonly string[]
  readonly accuracyMsMax?: number
  readonly nonce?: string
}

function given(description: string, evidence: Uint8Array, policy: Policy): Vector {
  const { roots = [root], certificates = [], policies = [], accuracyMsMax, nonce } = policy
  return {
    description,
    batchRoot: hex(ROOT),
    evidence: base64url(evidence),
    roots: roots.map(({ der }) => base64url(der)),
    certificates: certificates.map(({ der }) => base64url(der)),
    policies,
    ...(accuracyMsMax === undefined ? {} : { accuracyMsMax }),
    ...(nonce === undefined ? {} : { nonce })
  }
}

const JANUARY = Date.UTC(2026, 0, 1)

function made(info: Partial<Info> = {}, options: Partial<TokenOptions> = {}): Buffer {
  return token(tstInfo({ imprint: ROOT, ...info }), { signer, ...options })
}

function attributesOf(info: Partial<Info>, ...bindings: readonly Buffer[]): readonly Buffer[] {
  return [contentType(), messageDigest(tstInfo({ imprint: ROOT, ...info })), ...bindings]
}

function valid(): readonly Vector[] {
  const good = (
    description: string,
    evidence: Uint8Array,
    policy: Policy = {},
    shows: { readonly position?: number; readonly provenTime?: number; readonly chain?: readonly Made[] } = {}
  ): Vector => {
    const { position = JANUARY, provenTime = JANUARY + 1_000, chain = [signer, root] } = shows
    const fingerprints = chain.map(({ der }) => hex(sha256(der)))
    return { ...given(description, evidence, policy), position, provenTime, chain: fingerprints }
  }
  const late = { issuer: root, serial: 5, extensions: SIGNER, notAfter: '20260101000000Z' }
  const ending = certificate('tsa', late)
  return [
    good('a token, over the root itself', made()),
    good('a response that grants it', response(0, made())),
    good('a response that grants it with changes', response(1, made())),
    good('over SHA-384 of the root', made({ hash: 'sha384', imprint: digest('sha384', ROOT) })),
    good('over SHA-512 of the root', made({ hash: 'sha512', imprint: digest('sha512', ROOT) })),
    good(
      'with the authority between',
      made({}, { signer: under, certificates: [middle, under] }),
      {},
      { chain: [under, middle, root] }
    ),
    good('without certificates, which policy has', made({}, { certificates: [] }), { certificates: [signer] }),
    good(
      'under a trusted authority that is no root',
      made({}, { signer: under }),
      { roots: [middle] },
      { chain: [under, middle] }
    ),
    good('with a trusted signing certificate', made(), { roots: [signer] }, { chain: [signer] }),
    good('with attributes in another order than what was signed', made({}, { reversed: true })),
    good('bound by ESSCertID of version 1', made({}, { attributes: attributesOf({}, essCertificate(signer, 1)) })),
    good(
      'bound by both versions, with issuer and serial number',
      made(
        {},
        {
          attributes: attributesOf({}, essCertificate(signer, 1, signer), essCertificate(signer, 2, signer))
        }
      )
    ),
    good(
      'at the last moment of its certificate, which has expired since',
      made({}, { signer: ending }),
      {},
      { chain: [ending, root] }
    ),
    good(
      'with a fraction, and an accuracy in parts',
      made({ genTime: '20260101000000.1234Z', accuracy: [1, 2, 700] }),
      {},
      {
        position: JANUARY + 123,
        provenTime: JANUARY + 1_127
      }
    ),
    good('without accuracy', made({ accuracy: null }), {}, { provenTime: JANUARY }),
    good('under a policy that counts, as accurate as is asked for', made(), {
      policies: ['1.3.6.1.4.1.32473.1'],
      accuracyMsMax: 1_000
    }),
    good('with the nonce that was sent', made({ nonce: 77 }), { nonce: '77' }),
    good('revoked later, in good order', made({}, { crls: [crl(root, signer, '20260101000001Z', 4)] })),
    good(
      'said to be revoked by somebody else',
      made({}, { crls: [crl(root, signer, '20250101000000Z', 1, other.key)] })
    )
  ]
}

function invalid(): readonly Vector[] {
  const bad = (rule: string, code: string, description: string, evidence: Uint8Array, policy: Policy = {}): Vector => ({
    ...given(description, evidence, policy),
    rule,
    code: `TSA_${code}`
  })
  const whole = made()
  const signedBy = (wanted: Wanted): Buffer => made({}, { signer: signerOf(wanted) })
  const below = (extensions: readonly Buffer[]): Buffer => {
    const authority = certificate('tsa authority', { issuer: root, serial: 2, extensions })
    const leaf = certificate('tsa', { issuer: authority, serial: 4, extensions: SIGNER })
    return made({}, { signer: leaf, certificates: [leaf, authority] })
  }
  const bound = (...bindings: readonly Buffer[]): Buffer => made({}, { attributes: attributesOf({}, ...bindings) })
  const critical = sequence(extension('1.2.3', true, integer(0)))
  return [
    bad('TE-2', 'MALFORMED', 'a refusal', response(2)),
    bad('TE-2', 'MALFORMED', 'granted without a token', response(0)),
    bad('TE-2', 'MALFORMED', 'something follows', Buffer.concat([whole, Buffer.of(0)])),
    bad('TE-2', 'MALFORMED', 'one byte short', whole.subarray(0, -1)),
    bad(
      'TE-2',
      'MALFORMED',
      'BER of indefinite length',
      Buffer.concat([Buffer.of(0x30, 0x80), whole.subarray(4), Buffer.of(0, 0)])
    ),
    bad('TE-3', 'MALFORMED', 'another content type', made({}, { contentType: '1.2.840.113549.1.7.1' })),
    bad('TE-3', 'MALFORMED', 'two signatures', made({}, { signers: 2 })),
    bad('TE-3', 'MALFORMED', '33 certificates', made({}, { certificates: Array.from({ length: 33 }, () => signer) })),
    bad('TE-4', 'MALFORMED', 'TSTInfo of version 2', made({ version: 2 })),
    bad('TE-4', 'MALFORMED', 'genTime without Z', made({ genTime: '20260101000000' })),
    bad('TE-4', 'MALFORMED', 'a genTime of no calendar', made({ genTime: '20260230000000Z' })),
    bad('TE-4', 'MALFORMED', 'a critical extension', made({ extensions: critical.subarray(2) })),
    bad('TE-5', 'MALFORMED', 'no message digest', made({}, { attributes: [contentType(), essCertificate(signer)] })),
    bad('TE-6', 'IMPRINT', 'over another root', made({ imprint: sha256('another root') })),
    bad('TE-6', 'IMPRINT', 'over SHA-256 of the root', made({ imprint: sha256(ROOT) })),
    bad('TE-6', 'IMPRINT', 'over SHA-1 of the root', made({ hash: 'sha1', imprint: digest('sha1', ROOT) })),
    bad('TE-6', 'IMPRINT', 'over the root, named as SHA-512', made({ hash: 'sha512' })),
    bad('TE-7', 'SIGNATURE', 'a digest by SHA-1', made({}, { digestAlgorithm: 'sha1' })),
    bad(
      'TE-8',
      'SIGNATURE',
      'the digest of another content',
      made({}, { attributes: attributesOf({ nonce: 1 }, essCertificate(signer)) })
    ),
    bad(
      'TE-8',
      'SIGNATURE',
      'another content type among what is signed',
      made(
        {},
        {
          attributes: [contentType('1.2.840.113549.1.7.1'), ...attributesOf({}, essCertificate(signer)).slice(1)]
        }
      )
    ),
    bad('TE-9', 'CHAIN', 'no certificate', made({}, { certificates: [] })),
    bad('TE-10', 'SIGNATURE', 'a changed signature', made({}, { breakSignature: true })),
    bad('TE-11', 'CERT_BINDING', 'no binding', bound()),
    bad('TE-11', 'CERT_BINDING', 'bound to another certificate', bound(essCertificate(other))),
    bad('TE-11', 'CERT_BINDING', 'bound to two certificates', bound(essCertificate(other, 1), essCertificate(signer))),
    bad('TE-11', 'CERT_BINDING', 'bound by two values of one attribute', bound(essCertificates(signer, signer))),
    bad('TE-11', 'CERT_BINDING', 'the serial number of another one', bound(essCertificate(signer, 2, middle))),
    bad('TE-12', 'EKU', 'no extended key usage', signedBy({ extensions: SIGNER.slice(0, 1) })),
    bad('TE-12', 'EKU', 'one that is not critical', signedBy({ extensions: [purposes(false, 'timeStamping')] })),
    bad('TE-12', 'EKU', 'another purpose', signedBy({ extensions: [purposes(true, 'codeSigning')] })),
    bad(
      'TE-12',
      'EKU',
      'another purpose too',
      signedBy({ extensions: [purposes(true, 'timeStamping', 'codeSigning')] })
    ),
    bad('TE-13', 'CHAIN', 'to another root', made(), { roots: [other] }),
    bad('TE-13', 'CHAIN', 'to a root of the same name', made(), { roots: [forgedRoot()] }),
    bad('TE-13', 'CHAIN', 'the authority between is missing', made({}, { signer: under })),
    bad('TE-13', 'CHAIN', 'over a certificate of no authority', below([])),
    bad(
      'TE-13',
      'CHAIN',
      'over an authority for other purposes',
      below([...AUTHORITY, purposes(false, 'codeSigning')])
    ),
    bad(
      'TE-13',
      'CHAIN',
      'over an authority with an unknown critical extension',
      below([...AUTHORITY, extension('1.2.3', true, octets(Buffer.of()))])
    ),
    bad('TE-14', 'EXPIRED', 'expired at genTime', made({ genTime: '20300101000000.001Z' })),
    bad('TE-14', 'EXPIRED', 'not yet valid at genTime', made({ genTime: '20191231235959Z' })),
    bad('TE-15', 'REVOKED', 'revoked before', made({}, { crls: [crl(root, signer, '20260101000000Z', 4)] })),
    bad(
      'TE-15',
      'REVOKED',
      'revoked later, because the key was stolen',
      made({}, { crls: [crl(root, signer, '20260601000000Z', 1)] })
    ),
    bad(
      'TE-15',
      'REVOKED',
      'revoked later, without a reason',
      made({}, { crls: [crl(root, signer, '20260601000000Z')] })
    ),
    bad('TE-16', 'POLICY', 'under another policy', made(), { policies: ['1.3.6.1.4.1.32473.2'] }),
    bad('TE-17', 'POLICY', 'less accurate than is asked for', made(), { accuracyMsMax: 999 }),
    bad('TE-17', 'POLICY', 'without accuracy, where one is asked for', made({ accuracy: null }), {
      accuracyMsMax: 86_400_000
    }),
    bad('TE-18', 'NONCE', 'another nonce', made({ nonce: 78 }), { nonce: '77' }),
    bad('TE-18', 'NONCE', 'no nonce', made(), { nonce: '77' })
  ]
}

/** A certificate that has the root's name and a key of its own. */
function forgedRoot(): Made {
  return certificate('tsa root', { key: 'another tsa root' })
}
