import type { CertificateCache } from './certificate-cache.ts'
import { KEY_USAGE, PURPOSE } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import type { RevocationCheck } from './revocation.ts'
import type { SignatureBudget } from './signature-budget.ts'

export type ChainResult =
  | { readonly ok: true; /** From the signing certificate to a root. */ readonly chain: readonly Certificate[] }
  | ChainProblem

export interface ChainProblem {
  readonly ok: false
  readonly code: 'TSA_CHAIN' | 'TSA_EXPIRED' | 'TSA_REVOKED'
  readonly detail: string
}

export interface ChainRequest {
  readonly signer: Certificate
  /** Where a chain may end. */
  readonly roots: readonly Certificate[]
  /** What may stand between: the policy's certificates first, then the token's. */
  readonly others: readonly Certificate[]
  /** Milliseconds since 1970. */
  readonly genTime: number
  readonly cache: CertificateCache
  readonly revocation: RevocationCheck
  readonly budget: SignatureBudget
}

// SPEC TE-14. Real chains have two to four certificates.
const CHAIN_MAX = 8

/** What counts most where several chains lead to a root and none holds: what is nearest to holding. */
const NEAREST = ['TSA_REVOKED', 'TSA_EXPIRED', 'TSA_CHAIN'] as const

/**
 * Looks for a chain that holds at genTime (SPEC TE-13 to TE-17). Issuers are tried in their order, and a chain ends at
 * a root. How many signatures are looked at is bounded, so that certificates that all signed each other cost no more
 * than others.
 */
export function findChain(request: ChainRequest): ChainResult {
  const { signer, roots, others, cache, budget } = request
  const isRoot = new Set(roots.map(({ fingerprint }) => fingerprint))
  const issuers = [...new Map([...roots, ...others].map((issuer) => [issuer.fingerprint, issuer])).values()]
  const problems: ChainProblem[] = []

  const extend = (path: readonly Certificate[], last: Certificate): readonly Certificate[] | null => {
    if (isRoot.has(last.fingerprint)) {
      const problem = judge(path, request)
      if (problem === null) return path
      problems.push(problem)
    }
    if (path.length === CHAIN_MAX) return null
    for (const issuer of issuers) {
      if (issuer.subject !== last.issuer || path.some(({ fingerprint }) => fingerprint === issuer.fingerprint)) continue
      if (!budget.take()) return null
      const found = cache.isSignedBy(last, issuer) ? extend([...path, issuer], issuer) : null
      if (found !== null) return found
    }
    return null
  }
  const chain = extend([signer], signer)
  if (chain !== null) return { ok: true, chain }
  if (budget.exhausted) return problemOf('TSA_CHAIN', 'too many signatures would have to be looked at')
  for (const code of NEAREST) {
    const problem = problems.find((candidate) => candidate.code === code)
    if (problem !== undefined) return problem
  }
  return problemOf('TSA_CHAIN', 'no chain of certificates leads to a root of the authority')
}

function judge(path: readonly Certificate[], { genTime, revocation }: ChainRequest): ChainProblem | null {
  const misuse = misuseIn(path)
  if (misuse !== null) return problemOf('TSA_CHAIN', misuse)
  const outdated = path.find(({ notBefore, notAfter }) => genTime < notBefore || genTime > notAfter)
  if (outdated !== undefined) {
    const when = genTime < outdated.notBefore ? 'not yet valid' : 'expired'
    return problemOf('TSA_EXPIRED', `the certificate ${outdated.fingerprint} was ${when} at genTime`)
  }
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1]
    if (issuer === undefined) break
    const revoked = revocation.problem(certificate, issuer)
    if (revoked !== null) return { ok: false, ...revoked }
  }
  return null
}

/** RFC 5280 6.1.4 (k) to (o): each certificate above the first is one of an authority that may sign those below it. */
function misuseIn(path: readonly Certificate[]): string | null {
  let authoritiesBelow = 0
  for (const [index, certificate] of path.entries()) {
    const isLast = index === path.length - 1
    const name = `the certificate ${certificate.fingerprint}`
    const [unknown] = certificate.unknownCritical
    // Of a root only its name and key are trusted; what it says of itself was weighed by who chose it.
    if (unknown !== undefined && !isLast) return `${name} has the critical extension ${unknown}, which is not known`
    if (index === 0) continue
    // Roots of version 1 have no extensions at all.
    if (!certificate.isAuthority && (certificate.hasBasicConstraints || !isLast)) return `${name} is of no authority`
    if (certificate.keyUsage?.(KEY_USAGE.keyCertSign) === false) return `${name} may not sign certificates`
    if (!isLast && !mayIssueForTimeStamping(certificate)) return `${name} is of an authority for other purposes`
    if (certificate.pathLength !== undefined && authoritiesBelow > certificate.pathLength) {
      return `more authorities stand below ${name} than it allows`
    }
    // RFC 5280 4.2.1.9: self-issued certificates are not counted.
    if (certificate.subject !== certificate.issuer) authoritiesBelow += 1
  }
  return null
}

function mayIssueForTimeStamping({ extendedKeyUsage }: Certificate): boolean {
  if (extendedKeyUsage === undefined) return true
  const { purposes } = extendedKeyUsage
  return purposes.includes(PURPOSE.timeStamping) || purposes.includes(PURPOSE.any)
}

function problemOf(code: ChainProblem['code'], detail: string): ChainProblem {
  return { ok: false, code, detail }
}
