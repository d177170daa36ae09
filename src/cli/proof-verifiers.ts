import type { FederationConfig } from '../policy/config-schema.ts'
import type { TsaPolicy } from '../policy/policy.ts'
import type { AnchorTrust } from '../proofs/check-anchors.ts'

/** What a proof's timestamp anchors are checked with. */
export interface ProofVerifierOptions {
  /** What the tokens of an authority are checked against; `undefined` where the reader knows none of its roots. */
  readonly authorities: (tsa: string) => TsaPolicy | undefined
  /** Files of known Bitcoin headers. */
  readonly headerFiles: readonly string[]
  /** The Bitcoin networks of a data folder; of their providers only files are used. `null`: none. */
  readonly networks: { readonly folder: string; readonly rails: FederationConfig['rails']['btc'] } | null
}

/** The verifiers that work offline. */
export async function proofVerifiers(
  _options: ProofVerifierOptions
): Promise<Pick<AnchorTrust, 'verifiers' | 'bitcoinVerifier'>> {
  return { verifiers: [] }
}
