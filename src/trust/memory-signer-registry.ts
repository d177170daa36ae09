import type { KeyUse } from '../../protocols/event/v1/anchor-pack.ts'
import { KEY_USES } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Random } from '../platform/random.ts'
import { localSigner } from './local-signer.ts'
import type { HeldKey, SignerPlan, SignerRegistry, StoredDraft } from './signer-registry.ts'
import { NO_PLAN } from './signer-registry.ts'
import type { Signer } from './signer.ts'

const SEED_BYTES = 32

/**
 * A registry that is gone with the process: for nodes that are given their one signer and no place to keep more, and for
 * simulations. It holds `signer` for events and packs.
 */
export function memorySignerRegistry(signer: Signer, random: Random): SignerRegistry {
  const signers = new Map<string, Signer>([[signer.kid, signer]])
  const keys: HeldKey[] = [heldKey(signer, KEY_USES, 0)]
  let signing = signer.kid
  let plan: SignerPlan = NO_PLAN
  let draft: StoredDraft | null = null
  return {
    plan: () => Promise.resolve(plan),
    savePlan: (next) => {
      plan = next
      return Promise.resolve()
    },
    held: () => Promise.resolve({ keys: [...keys], signing }),
    newKey: (uses, createdAt) => {
      const seed = random.bytes(SEED_BYTES)
      const { kid } = localSigner(seed)
      const made = localSigner(seed, { did: signer.did, kid })
      signers.set(kid, made)
      const held = heldKey(made, uses, createdAt)
      keys.push(held)
      return Promise.resolve(held)
    },
    signer: (kid) => Promise.resolve(signers.get(kid) ?? null),
    moveSigning: (kid) => {
      signing = kid
      return Promise.resolve()
    },
    draft: () => Promise.resolve(draft),
    saveDraft: (next) => {
      draft = next
      return Promise.resolve()
    }
  }
}

function heldKey({ kid, publicKey }: Signer, uses: readonly KeyUse[], createdAt: number): HeldKey {
  return { kid, publicKey: toBase64url(publicKey), uses: [...uses], createdAt }
}
