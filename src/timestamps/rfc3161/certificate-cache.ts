import { fromBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { BoundedMap } from '../../platform/bounded-map.ts'
import type { TsaCertificates } from '../../policy/policy.ts'
import { readCertificate } from './certificate.ts'
import type { Certificate, Signed } from './certificate.ts'
import { DerError } from './der.ts'
import { verifySignature } from './public-key.ts'

// Of an authority's certificates only a handful are in use at a time, and a node knows tens of authorities. At 2 KiB and
// a key each they are some MiB. Who floods a node with certificates makes it read certificates again, nothing worse.
const CERTIFICATES_MAX = 512

// Those of real authorities have 1 to 3 KiB. Larger ones, which only strangers send, are read each time: kept, 512 of the
// size of a token would take 100 MiB.
const CERTIFICATE_BYTES_KEPT_MAX = 8 * 1024

/** The certificates that policy names for an authority, read. */
export interface PolicyCertificates {
  readonly roots: readonly Certificate[]
  readonly others: readonly Certificate[]
  /** How many could not be read. */
  readonly unreadable: number
}

/**
 * Certificates that were read before, by their bytes, and which of them signed which. So a token of a known authority
 * costs one verification, that of its own signature. It holds facts only, no verdicts: what is cached says nothing of
 * times, purposes or trust.
 */
export class CertificateCache {
  readonly #certificates = new BoundedMap<string, Certificate | null>(CERTIFICATES_MAX)
  readonly #policies = new WeakMap<TsaCertificates, PolicyCertificates>()
  // Forgotten together with their certificates.
  readonly #issuers = new WeakMap<Certificate, WeakMap<Certificate, boolean>>()

  /** The certificate of these bytes; null for what is none. */
  read(bytes: Uint8Array): Certificate | null {
    const fingerprint = sha256Hex(bytes)
    const known = this.#certificates.get(fingerprint)
    if (known !== undefined) return known
    const certificate = readOrNull(bytes, fingerprint)
    if (bytes.length <= CERTIFICATE_BYTES_KEPT_MAX) this.#certificates.set(fingerprint, certificate)
    return certificate
  }

  /** The certificates of a policy. It is remembered as the object that it is, so it must not be changed. */
  ofPolicy(policy: TsaCertificates): PolicyCertificates {
    const known = this.#policies.get(policy)
    if (known !== undefined) return known
    const readAll = (texts: readonly string[]): readonly Certificate[] =>
      texts
        .map((text) => fromBase64url(text))
        .map((bytes) => (bytes === null ? null : this.read(bytes)))
        .filter((certificate) => certificate !== null)
    const roots = readAll(policy.roots)
    const others = readAll(policy.certificates)
    const unreadable = policy.roots.length + policy.certificates.length - roots.length - others.length
    const read = { roots, others, unreadable }
    this.#policies.set(policy, read)
    return read
  }

  /** Whether the issuer's key made the certificate's signature. */
  isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
    const answers = this.#issuers.get(certificate) ?? new WeakMap<Certificate, boolean>()
    this.#issuers.set(certificate, answers)
    const known = answers.get(issuer)
    if (known !== undefined) return known
    const answer = isGood(certificate.signed, issuer)
    answers.set(issuer, answer)
    return answer
  }
}

/** Whether the key of `signer` made the signature. A scheme or a key that does not count makes none. */
export function isGood({ data, scheme, signature }: Signed, signer: Certificate): boolean {
  const key = signer.publicKey()
  // RFC 4055 1.2: rsaEncryption is no signature algorithm in certificates, CRLs and OCSP responses; a hash is named.
  return scheme !== null && key !== null && verifySignature(key, scheme, null, data, signature)
}

function readOrNull(bytes: Uint8Array, fingerprint: string): Certificate | null {
  try {
    return readCertificate(bytes, fingerprint)
  } catch (error) {
    if (error instanceof DerError) return null
    throw error
  }
}
