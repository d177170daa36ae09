import { equalBytes } from '../../../protocols/primitives/bytes.ts'
import { digestOf, hashOf, schemeOf } from './algorithms.ts'
import type { SignatureScheme } from './algorithms.ts'
import { KEY_USAGE, PURPOSE } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { DerError } from './der.ts'
import { verifySignature } from './public-key.ts'
import { refusal } from './refusal.ts'
import type { TokenRefusal } from './refusal.ts'
import { TST_INFO } from './signed-data.ts'
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
  // TE-7. SHA-1 among them: who finds two contents with one digest could exchange them.
  const digest = hashOf(signer.digestAlgorithm)
  if (digest === null) {
    return refusal('TSA_SIGNATURE', `the digest algorithm ${signer.digestAlgorithm.oid} does not count`)
  }
  // TE-8
  if (signer.contentType !== TST_INFO || !equalBytes(signer.messageDigest, digestOf(digest, token.content))) {
    return refusal('TSA_SIGNATURE', 'the signed attributes are of another content')
  }
  const named = candidates.filter((candidate) => isNamedBy(signer, candidate))
  // Several can have one name, because anybody can add certificates to a token; the binding says which one is meant.
  const certificate = named.find((candidate) => binding(signer, candidate) === null) ?? named[0]
  // TE-9
  if (certificate === undefined) {
    return refusal('TSA_CHAIN', 'the signing certificate is neither in the token nor among those of the authority')
  }
  // TE-10
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

/** RFC 3161 2.3: the extended key usage holds id-kp-timeStamping only, and is critical. */
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

/** What `read` finds; in place of a `DerError` its message. */
function orDetail<Found>(read: () => Found): Found | string {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) return error.message
    throw error
  }
}
