import type { UnverifiedSignature } from '../../protocols/bundle/v1/signed.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { Store } from '../log/store.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { Keyring } from '../trust/keyring.ts'
import { usableKeys } from '../trust/usable-keys.ts'
import type { KnownKeys } from '../trust/usable-keys.ts'

export type SignerCheck =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: 'bad-signature' | 'unknown-key'; readonly detail: string }

export interface SignatureCheckPorts {
  readonly keyring: Keyring
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly policy: () => PolicyView
}

/**
 * Whether the signature is good under a key that the signer may use now (`usableKeys`). `unknown-key` where a key may yet
 * come.
 */
export async function checkSigner(
  signer: string,
  { kid, input, signature }: UnverifiedSignature,
  { keyring, engine, store, policy }: SignatureCheckPorts
): Promise<SignerCheck> {
  const orgId = policy().orgOf(signer)
  const found = keyring.find(signer, kid, orgId)
  if (!found.ok) {
    const code = found.code === 'KEY_UNKNOWN' ? 'unknown-key' : 'bad-signature'
    return { ok: false, code, detail: found.detail }
  }
  const [row] = await viewRows(engine, store, 'trust-anchors', (view) => view.rows([`${orgId ?? ''}!${kid}`]))
  const standing = row as unknown as KnownKeys['standing']
  const usable = usableKeys({ kid, everBound: found.keys, standing, configured: policy().boundKeys(signer) })
  if (!usable.ok) return { ok: false, code: 'bad-signature', detail: `the key ${kid} of ${signer} is not ACTIVE` }
  if (usable.keys.some((key) => verifyEd25519(key, input, signature))) return { ok: true }
  const code = usable.keys.length === 0 || found.mayGrow ? 'unknown-key' : 'bad-signature'
  return { ok: false, code, detail: `the signature is not good under a key ${kid} of ${signer}` }
}
