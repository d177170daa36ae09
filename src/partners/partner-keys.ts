import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'

/** A key under which a request over HTTP may be signed, and for whom it speaks. */
export interface PartnerKey {
  readonly did: string
  readonly kid: string
  readonly key: CheckedPublicKey
  /** The tenant in whose key domain it is; `null`: of none, so it speaks for no tenant. */
  readonly tenant: string | null
}

/**
 * The keys of those who may sign requests over HTTP: nodes that an operator registered, and the peers of the policy. A
 * key that packs retired or revoked is none of them any more.
 */
export interface PartnerKeys {
  /** The keys of a DID by this kid; several where a forked pack chain bound one kid to several keys. */
  of(did: string, kid: string): readonly PartnerKey[]
  /** The keys that anybody has by this kid. */
  withKid(kid: string): readonly PartnerKey[]
  /** Whether any key of the DID is known. */
  knows(did: string): boolean
}
