import type { CertificateCache } from './certificate-cache.ts'
import { isGood } from './certificate-cache.ts'
import { KEY_USAGE, PURPOSE } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { readRevocationList } from './crl.ts'
import type { Revocation, RevocationList } from './crl.ts'
import { DerError, latin1 } from './der.ts'
import { isAbout, readOcspResponse } from './ocsp.ts'
import type { OcspResponse } from './ocsp.ts'
import type { SignatureBudget } from './signature-budget.ts'
import type { RevocationData } from './signed-data.ts'

/** Why a certificate can't be relied on. */
export interface RevocationProblem {
  readonly code: 'TSA_REVOKED' | 'TSA_CHAIN'
  readonly detail: string
}

/**
 * Reasons with which a key is given up in good order (unspecified, affiliationChanged, superseded,
 * cessationOfOperation): what it signed before stays good. With another one, or none, it is as if it had never been
 * (RFC 3161 4, points 1 and 2).
 */
const IN_GOOD_ORDER = new Set([0, 3, 4, 5])

/** RFC 5280 5.3.1: in a list of changes, that the certificate is revoked no longer. */
const REMOVE_FROM_CRL = 8

/**
 * The revocation data that came in a token (SPEC TE-18): lists and responses. It can only take trust away. That it
 * says nothing of a certificate says nothing, because who sent the token chose it.
 */
export class RevocationCheck {
  /** What was passed over, and why. */
  readonly ignored = new Set<string>()
  readonly #genTime: number
  readonly #cache: CertificateCache
  readonly #budget: SignatureBudget
  readonly #lists: readonly RevocationList[]
  readonly #responses: readonly OcspResponse[]

  constructor(data: RevocationData, genTime: number, cache: CertificateCache, budget: SignatureBudget) {
    this.#genTime = genTime
    this.#cache = cache
    this.#budget = budget
    this.#lists = this.#readAll(data.crls, 'crl', readRevocationList)
    this.#responses = this.#readAll(data.ocsp, 'ocsp', readOcspResponse)
  }

  /** What is wrong with the certificate by what its issuer said; null when nothing is known against it. */
  problem(certificate: Certificate, issuer: Certificate): RevocationProblem | null {
    const serialNumber = latin1(certificate.serialNumber)
    for (const list of this.#lists) {
      if (list.issuer !== certificate.issuer) continue
      if (issuer.keyUsage?.(KEY_USAGE.cRLSign) === false || !this.#isGood(list, issuer)) {
        this.ignored.add('crl: signature does not verify')
      } else if (this.#counts(list.revoked.get(serialNumber))) return revoked(certificate)
    }
    for (const response of this.#responses) {
      const answers = response.answers.filter((answer) => isAbout(answer, certificate, issuer))
      if (answers.length === 0) continue
      if (!this.#isByResponder(response, issuer)) this.ignored.add('ocsp: signature does not verify')
      else if (answers.some(({ revocation }) => this.#counts(revocation))) return revoked(certificate)
    }
    return this.#budget.exhausted
      ? { code: 'TSA_CHAIN', detail: 'too many signatures would have to be looked at' }
      : null
  }

  #counts(revocation: Revocation | undefined): boolean {
    if (revocation === undefined || revocation.reason === REMOVE_FROM_CRL) return false
    return revocation.at <= this.#genTime || !IN_GOOD_ORDER.has(revocation.reason ?? -1)
  }

  #isGood({ signed }: Pick<RevocationList, 'signed'>, signer: Certificate): boolean {
    return this.#budget.take() && isGood(signed, signer)
  }

  /** RFC 6960 4.2.2.2: the issuer itself, or who was given a certificate for it by the issuer. */
  #isByResponder(response: OcspResponse, issuer: Certificate): boolean {
    if (this.#isGood(response, issuer)) return true
    return response.certificates.some((bytes) => {
      const responder = this.#cache.read(bytes)
      if (responder === null || responder.issuer !== issuer.subject) return false
      if (responder.extendedKeyUsage?.purposes.includes(PURPOSE.ocspSigning) !== true) return false
      if (response.producedAt < responder.notBefore || response.producedAt > responder.notAfter) return false
      if (!this.#budget.take() || !this.#cache.isSignedBy(responder, issuer)) return false
      return this.#isGood(response, responder)
    })
  }

  #readAll<Data>(all: readonly Uint8Array[], name: string, read: (bytes: Uint8Array) => Data): readonly Data[] {
    return all.flatMap((bytes) => {
      try {
        return [read(bytes)]
      } catch (error) {
        if (!(error instanceof DerError)) throw error
        this.ignored.add(`${name}: ${error.message}`)
        return []
      }
    })
  }
}

function revoked({ fingerprint }: Certificate): RevocationProblem {
  return { code: 'TSA_REVOKED', detail: `the certificate ${fingerprint} was revoked` }
}
