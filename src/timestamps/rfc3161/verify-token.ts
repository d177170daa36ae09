import { equalBytes } from '../../../protocols/primitives/bytes.ts'
import type { TsaPolicy } from '../../policy/policy.ts'
import { digestOf, hashOf } from './algorithms.ts'
import type { HashName } from './algorithms.ts'
import { CertificateCache } from './certificate-cache.ts'
import { findChain } from './chain.ts'
import { describeName } from './names.ts'
import { refusal } from './refusal.ts'
import type { TokenRefusal } from './refusal.ts'
import { RevocationCheck } from './revocation.ts'
import { SignatureBudget } from './signature-budget.ts'
import { checkSigner } from './signer.ts'
import { readTokenOrResponse } from './timestamp-response.ts'
import type { TstInfo } from './tst-info.ts'

export interface TokenRequest {
  /** What must have been stamped, by the token's own hash function; null where no such imprint counts. */
  readonly expectedImprint: (hash: HashName) => Uint8Array | null
  /** The authority's roots and rules. Held for as long as it lives, so it must not be changed. */
  readonly tsaPolicy: TsaPolicy
  /** The nonce that was sent, where the token answers a query of one's own. */
  readonly expectedNonce?: bigint
  /** Certificates that were read before; a new one by default. */
  readonly cache?: CertificateCache
}

/** What a good token proves. */
export interface VerifiedToken {
  /** Integer milliseconds since 1970; a finer fraction is cut off. */
  readonly genTime: number
  /** When the imprint existed at the latest: genTime and accuracy, rounded up to milliseconds. */
  readonly provenTime: number
  /** Undefined where the token does not say. */
  readonly accuracyMicros?: number
  /** Lower-case hex. */
  readonly serialNumber: string
  /** The object identifier of the policy that it was issued under. */
  readonly policy: string
  /** The hash function of the imprint. */
  readonly hash: HashName
  /** The subject of the signing certificate, for people to read. */
  readonly signer: string
  /** SHA-256 of the certificates from the signing one to a root, hex. */
  readonly chain: readonly string[]
  /** The revocation data that came with it and was passed over, and why. */
  readonly ignoredRevocationData: readonly string[]
}

export type TokenVerdict = { readonly ok: true; readonly token: VerifiedToken } | TokenRefusal

// SPEC TE-1. Real tokens have up to 10 KiB, with revocation data some more; an event can't carry as much as that.
const TOKEN_BYTES_MAX = 64 * 1024

/** What a token over a batch root must have stamped (SPEC TE-5): the 32 bytes of the root, or a longer hash of them. */
export function imprintOfRoot(root: Uint8Array, hash: HashName): Uint8Array {
  return hash === 'sha256' ? root : digestOf(hash, root)
}

/**
 * Verifies a TimeStampToken, or a TimeStampResp with one, by protocols/tsa-evidence/v1: offline, at the token's own
 * genTime, always with the same verdict for the same bytes and policy. No bytes make it throw. Rules are checked in
 * their order; the first that is broken gives the code.
 */
export function verifyTimestampToken(bytes: Uint8Array, request: TokenRequest): TokenVerdict {
  if (bytes.length > TOKEN_BYTES_MAX) return refusal('TSA_MALFORMED', `more than ${TOKEN_BYTES_MAX} bytes`)
  const read = readTokenOrResponse(bytes)
  if (!read.ok) return refusal('TSA_MALFORMED', read.detail)
  if (!read.granted) return refusal('TSA_MALFORMED', `the authority refused: ${read.detail}`)
  const { token } = read
  const { info } = token

  // TE-5
  const hash = hashOf({ oid: info.hashAlgorithm })
  if (hash === null) return refusal('TSA_IMPRINT', `the imprint's hash algorithm ${info.hashAlgorithm} does not count`)
  const expected = request.expectedImprint(hash)
  if (expected === null || !equalBytes(expected, info.hashedMessage)) {
    return refusal('TSA_IMPRINT', 'something else was stamped')
  }

  const cache = request.cache ?? new CertificateCache()
  const trusted = cache.ofPolicy(request.tsaPolicy)
  const inToken = token.certificates.map((certificate) => cache.read(certificate)).filter((found) => found !== null)
  const others = [...trusted.others, ...inToken]
  const signed = checkSigner(token, [...trusted.roots, ...others])
  if (!signed.ok) return signed
  const { certificate } = signed

  const budget = new SignatureBudget()
  const revocation = new RevocationCheck(token.revocation, info.genTime, cache, budget)
  const { genTime } = info
  const found = findChain({ signer: certificate, roots: trusted.roots, others, genTime, cache, revocation, budget })
  if (!found.ok) return found

  const ruleProblem = policyProblem(info, request.tsaPolicy) ?? nonceProblem(info, request.expectedNonce)
  if (ruleProblem !== null) return ruleProblem
  return {
    ok: true,
    token: {
      genTime,
      provenTime: genTime + Math.ceil((info.genTimeRestMicros + (info.accuracyMicros ?? 0)) / 1_000),
      ...(info.accuracyMicros === undefined ? {} : { accuracyMicros: info.accuracyMicros }),
      serialNumber: info.serialNumber,
      policy: info.policy,
      hash,
      signer: describeName(certificate.subject),
      chain: found.chain.map(({ fingerprint }) => fingerprint),
      ignoredRevocationData: [...revocation.ignored]
    }
  }
}

/** SPEC TE-19 and TE-20. */
function policyProblem(
  { policy, accuracyMicros }: TstInfo,
  { policies, accuracyMsMax }: TsaPolicy
): TokenRefusal | null {
  if (policies.length > 0 && !policies.includes(policy)) {
    return refusal('TSA_POLICY', `issued under the policy ${policy}, which is not among those of the authority`)
  }
  if (accuracyMsMax === undefined) return null
  if (accuracyMicros === undefined) return refusal('TSA_POLICY', 'does not say how far off its time may be')
  return accuracyMicros <= accuracyMsMax * 1_000
    ? null
    : refusal('TSA_POLICY', `its time may be off by ${accuracyMicros / 1_000} ms, more than ${accuracyMsMax} ms`)
}

/** SPEC TE-21. */
function nonceProblem({ nonce }: TstInfo, expected: bigint | undefined): TokenRefusal | null {
  if (expected === undefined || nonce === expected) return null
  return refusal('TSA_NONCE', nonce === undefined ? 'left the nonce out' : 'has the nonce of another query')
}
