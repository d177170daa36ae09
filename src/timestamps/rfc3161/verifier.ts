import { fromBase64url, fromHex } from '../../../protocols/primitives/bytes.ts'
import type { TsaPolicy } from '../../policy/policy.ts'
import type { TimestampVerifier, VerifierRequest, VerifierResult } from '../verifier.ts'
import { CertificateCache } from './certificate-cache.ts'
import { imprintOfRoot, verifyTimestampToken } from './verify-token.ts'
import type { VerifiedToken } from './verify-token.ts'

const RAIL = 'rfc3161:'

// Bytes that stand by hash come with a bundle or an import: minutes, rather than seconds.
const EVIDENCE_RETRY_MS = 5 * 60 * 1000

// Roots come with a new configuration, which operators write by the day; looking costs nothing.
const ROOTS_RETRY_MS = 60 * 60 * 1000

/**
 * Verifies `rfc3161:*` anchors, offline, by protocols/tsa-evidence/v1. `authorities` gives what policy says of an
 * authority by its id, the same object as long as it says the same. `unreachable` are: `EVIDENCE_MISSING`, where the
 * token stands by hash; `ROOTS_MISSING`, where policy has no roots for the authority, or certificates that can't be
 * read, so that nothing can be said against the token either. A token is final as it stands.
 */
export function createRfc3161Verifier(authorities: (tsa: string) => TsaPolicy | undefined): TimestampVerifier {
  const cache = new CertificateCache()
  const check = ({ timestampAnchor, batchRoot }: VerifierRequest): VerifierResult => {
    const { chainId } = timestampAnchor
    const tsaPolicy = authorities(chainId.slice(RAIL.length))
    if (tsaPolicy === undefined || tsaPolicy.roots.length === 0 || cache.ofPolicy(tsaPolicy).unreadable > 0) {
      return { outcome: 'unreachable', code: 'ROOTS_MISSING', retryAfterMs: ROOTS_RETRY_MS }
    }
    if (!('token' in timestampAnchor) || typeof timestampAnchor.token !== 'string') {
      return { outcome: 'unreachable', code: 'EVIDENCE_MISSING', retryAfterMs: EVIDENCE_RETRY_MS }
    }
    const bytes = fromBase64url(timestampAnchor.token)
    if (bytes === null) return { outcome: 'invalid', code: 'TSA_MALFORMED', detail: 'the token is no base64url' }
    const root = fromHex(batchRoot)
    const verdict = verifyTimestampToken(bytes, {
      expectedImprint: (hash) => (root === null ? null : imprintOfRoot(root, hash)),
      tsaPolicy,
      cache
    })
    return verdict.ok ? valid(verdict.token) : { outcome: 'invalid', code: verdict.code, detail: verdict.detail }
  }
  return {
    name: 'rfc3161',
    handles: (chainId) => chainId.startsWith(RAIL),
    // It asks nobody, so there is nothing that `signal` could cut short.
    verify: (request) => Promise.resolve(check(request))
  }
}

function valid(token: VerifiedToken): VerifierResult {
  const { genTime, provenTime, accuracyMicros, serialNumber, policy, hash, signer, chain } = token
  const { ignoredRevocationData } = token
  return {
    outcome: 'valid',
    finality: {},
    provenTime,
    position: genTime,
    evidence: {
      chain: [...chain],
      genTime,
      hash,
      policy,
      serialNumber,
      signer,
      ...(accuracyMicros === undefined ? {} : { accuracyMicros }),
      ...(ignoredRevocationData.length === 0 ? {} : { ignoredRevocationData: [...ignoredRevocationData] })
    }
  }
}
