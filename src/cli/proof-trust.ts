import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { FinalityRule } from '../policy/config-schema.ts'
import type { EffectivePolicy, TsaPolicy } from '../policy/policy.ts'
import { authorityPolicy, viewPolicy } from '../policy/policy-view.ts'
import type { ProofTrust } from '../proofs/check-proof.ts'
import { Keyring } from '../trust/keyring.ts'
import { loadConfig } from './data-folder/load-config.ts'
import type { ConfigSources } from './data-folder/load-config.ts'
import { readCertificates } from './data-folder/tsa-certificates.ts'
import type { KnownKey, TrustOptions } from './proof-arguments.ts'
import { proofVerifiers } from './proof-verifiers.ts'
import { unusablePath } from './unusable-path.ts'

/** Six blocks is Bitcoin's custom, and what `federation.yaml` has by default; a token is final as it stands. */
const FINALITY_DEFAULT: Readonly<Record<string, FinalityRule>> = {
  btc: { depth: 6 },
  eip155: { tag: 'finalized' },
  rfc3161: {}
}

/**
 * Puts together what a proof of a batch of `owner` is checked with: files that were named, and the configuration of a
 * data folder where `sources` are given (`null`: none; a proof must not come out otherwise because of the folder that it
 * is looked at in). Throws `USAGE` for a file that can't be used, `CONFIG_INVALID`.
 */
export async function proofTrust(
  options: TrustOptions,
  owner: string,
  sources: ConfigSources | null,
  clock: Clock
): Promise<ProofTrust> {
  const config = sources === null ? null : await loadConfig(sources)
  const policy = config?.policy ?? null
  const roots = await certificatesIn(options.tsaRoot ?? [])
  const certificates = await certificatesIn(options.tsaCertificate ?? [])
  const keyring = new Keyring()
  for (const peer of policy?.peers ?? [])
    for (const { kid, publicKey } of peer.keys) keyring.bind(peer.did, kid, publicKey)
  for (const key of options.key ?? []) bindKnown(keyring, key)
  return {
    ...(await proofVerifiers({
      authorities: (tsa) =>
        authorityOf(policy === null ? undefined : authorityPolicy(policy, tsa), roots, certificates),
      headerFiles: options.headers ?? [],
      networks: config === null ? null : { folder: config.folder, rails: config.federation.rails.btc },
      clock
    })),
    finality: finalityOf(policy),
    findKeys: (signer, kid) => keyring.find(signer, kid, undefined),
    orgOf: orgOf(options.owner ?? [], owner, policy)
  }
}

/** Throws `USAGE` for a key that is no good one. */
function bindKnown(keyring: Keyring, { did, kid, publicKey }: KnownKey): void {
  const checked = checkPublicKey(publicKey)
  if (!checked.ok)
    throw new AnchormeshError('USAGE', `the key of ${did}#${kid} is no good Ed25519 key: ${checked.detail}`, {
      hint: 'Ask its owner for it once more.'
    })
  keyring.bind(did, kid, toBase64url(publicKey))
}

/** What the reader named stands beside what the data folder has for that authority. */
function authorityOf(
  configured: TsaPolicy | undefined,
  roots: readonly string[],
  certificates: readonly string[]
): TsaPolicy | undefined {
  if (configured === undefined && roots.length === 0) return undefined
  return {
    ...(configured ?? { policies: [] }),
    roots: [...new Set([...(configured?.roots ?? []), ...roots])].sort(),
    certificates: [...new Set([...(configured?.certificates ?? []), ...certificates])].sort()
  }
}

/** A namespace that the data folder carries has the say on its chains; without one, custom has it. */
function finalityOf(policy: EffectivePolicy | null): ProofTrust['finality'] {
  const view = policy === null ? null : viewPolicy(policy)
  return (namespace, chainId) => {
    if (view?.settings(namespace) !== undefined) return view.finality(namespace, chainId) ?? null
    return FINALITY_DEFAULT[chainId.slice(0, chainId.indexOf(':'))] ?? null
  }
}

/** DIDs that were named are the owner's, and then no others are; else those of the data folder are known. */
function orgOf(named: readonly string[], owner: string, policy: EffectivePolicy | null): ProofTrust['orgOf'] {
  if (named.length > 0) return (did) => (named.includes(did) ? owner : 'somebody else')
  const peers = new Map(policy?.peers.map(({ did, orgId }) => [did, orgId]))
  return (did) => peers.get(did)
}

async function certificatesIn(files: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const file of files) {
    try {
      found.push(...(await readCertificates(file)))
    } catch (error) {
      const unusable = unusablePath(file, 'read', error)
      if (unusable instanceof AnchormeshError) throw unusable
      throw new AnchormeshError('USAGE', `${file} holds no certificates: ${messageOf(error)}`, {
        hint: 'A file is PEM (any number of certificates) or one certificate in DER.',
        cause: error
      })
    }
  }
  return found
}
