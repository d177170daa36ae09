import { equalBytes } from '../../../protocols/primitives/bytes.ts'
import { digestOf, hashOf, schemeOf } from './algorithms.ts'
import type { SignatureScheme } from './algorithms.ts'
import { KEY_USAGE, PURPOSE } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { DerError, readOid, TAG } from './der.ts'
import type { DerValue } from './der.ts'
import { verifySignature } from './public-key.ts'
import { refusal } from './refusal.ts'
import type { TokenRefusal } from './refusal.ts'
import { ATTRIBUTE, TST_INFO } from './signed-data.ts'
import type { SignerInfo, Token } from './signed-data.ts'
import { bindingProblem, isNamedBy } from './signing-certificate.ts'

export type SignerResult = { readonly ok: true; readonly certificate: Certificate } | TokenRefusal

/**
 * Finds the certificate that the token was signed with among the candidates and checks the signature, that it is bound
 * to that certificate, and that the certificate is one of a time-stamping authority (SPEC TE-7 to TE-12). Whether it
 * leads to a root is not asked here.
 */
export function checkSigner(token: Token, candidates: readonly Certificate[]): SignerResult {
  const { signer } = token
  const contentType = onlyValue(signer, ATTRIBUTE.contentType, TAG.oid)
  const messageDigest = onlyValue(signer, ATTRIBUTE.messageDigest, TAG.octetString)
  // TE-7
  if (contentType === null || messageDigest === null) {
    return refusal('TSA_MALFORMED', 'the signed attributes have no content type or no message digest')
  }
  // TE-8. SHA-1 among them: who finds two contents with one digest could exchange them.
  const digest = hashOf(signer.digestAlgorithm)
  if (digest === null) {
    return refusal('TSA_SIGNATURE', `the digest algorithm ${signer.digestAlgorithm.oid} does not count`)
  }
  if (!isOid(contentType, TST_INFO) || !equalBytes(messageDigest.content, digestOf(digest, token.content))) {
    return refusal('TSA_SIGNATURE', 'the signed attributes are of another content')
  }
  const named = candidates.filter((candidate) => isNamedBy(signer, candidate))
  // Several can have one name, because anybody can add certificates to a token; the binding says which one is meant.
  const certificate = named.find((candidate) => binding(signer, candidate) === null) ?? named[0]
  // TE-10
  if (certificate === undefined) {
    return refusal('TSA_CHAIN', 'the signing certificate is neither in the token nor among those of the authority')
  }
  // TE-9
  const key = certificate.publicKey()
  if (key === null) return refusal('TSA_SIGNATURE', 'the signing key is of a kind or size that does not count')
  const scheme = schemeOrNull(signer)
  if (scheme === null) {
    return refusal('TSA_SIGNATURE', `the signature algorithm ${signer.signatureAlgorithm.oid} does not count`)
  }
  if (!verifySignature(key, scheme, digest, signer.signedAttributes, signer.signature)) {
    return refusal('TSA_SIGNATURE', 'the signature does not verify')
  }
  // TE-11
  const unbound = binding(signer, certificate)
  if (unbound !== null) return refusal('TSA_CERT_BINDING', unbound)
  // TE-12
  const misused = purposeProblem(certificate)
  return misused === null ? { ok: true, certificate } : refusal('TSA_EKU', misused)
}

/** RFC 3161 2.3: "the corresponding certificate MUST contain only one instance of the extended key usage, critical". */
function purposeProblem({ extendedKeyUsage, keyUsage }: Certificate): string | null {
  if (extendedKeyUsage === undefined) return 'the signing certificate has no extended key usage'
  if (!extendedKeyUsage.critical) return 'the extended key usage of the signing certificate is not critical'
  const { purposes } = extendedKeyUsage
  if (purposes.length !== 1 || purposes[0] !== PURPOSE.timeStamping) {
    return 'the signing certificate is not for time stamps alone'
  }
  if (keyUsage === undefined || keyUsage(KEY_USAGE.digitalSignature) || keyUsage(KEY_USAGE.nonRepudiation)) return null
  return 'the signing certificate may not sign data'
}

function binding(signer: SignerInfo, certificate: Certificate): string | null {
  return orDetail(() => bindingProblem(signer, certificate))
}

function schemeOrNull({ signatureAlgorithm }: SignerInfo): SignatureScheme | null {
  const scheme = orDetail(() => schemeOf(signatureAlgorithm))
  return typeof scheme === 'string' ? null : scheme
}

function isOid(value: DerValue, oid: string): boolean {
  return orDetail(() => readOid(value, 'content type')) === oid
}

/** What `read` finds; in place of a `DerError` its message. */
function orDetail<Found>(read: () => Found): Found | string {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) return error.message
    throw error
  }
}

/** The one value of a signed attribute, if it is of this type. */
function onlyValue({ attributes }: SignerInfo, type: string, tag: number): DerValue | null {
  const values = attributes.get(type) ?? []
  const [value] = values
  return value === undefined || values.length > 1 || value.tag !== tag ? null : value
}
