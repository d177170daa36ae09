import { createHash } from 'node:crypto'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import type { FederationConfig, PeersConfig } from '../../src/policy/config-schema.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import type { EffectivePolicy, EffectivePolicyResult, PolicySelf } from '../../src/policy/policy.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { newKey } from '../../src/cli/data-folder/keystore.ts'
import type { Random } from '../../src/platform/random.ts'

/** Randomness that is the same for the same name. */
export function namedRandom(name: string): Random {
  let drawn = 0
  const next = (): Uint8Array => {
    drawn += 1
    return new Uint8Array(createHash('sha256').update(`${name} ${drawn}`).digest())
  }
  return {
    bytes: (length) => next().slice(0, length),
    fraction: () => (next()[0] ?? 0) / 256
  }
}

export interface Person {
  readonly did: string
  readonly kid: string
  readonly publicKey: string
  readonly bytes: Uint8Array
}

/** A key and its did:key, the same for the same name. */
export function person(name: string): Person {
  const { kid, publicKey } = newKey(['event'], namedRandom(name), 0)
  const bytes = new Uint8Array(Buffer.from(publicKey, 'base64url'))
  return { did: didKeyOf(bytes), kid, publicKey: toBase64url(bytes), bytes }
}

export const alice = person('alice')
export const bob = person('bob')
export const carol = person('carol')

export const self: PolicySelf = { did: alice.did, orgId: 'alpha', kid: alice.kid, publicKey: alice.bytes }

/** Alice's `federation.yaml` with Alice and Bob in namespace `dao:test`. */
export function federation(
  changes: Record<string, unknown> = {},
  namespace: Record<string, unknown> = {}
): FederationConfig {
  return federationSchema.parse({
    v: 1,
    node: { did: alice.did, orgId: 'alpha' },
    namespaces: {
      'dao:test': {
        tenant: 'test',
        members: { announce: [alice.did, bob.did], serve: [alice.did], request: [bob.did] },
        ...namespace
      }
    },
    ...changes
  })
}

/** A `peers.yaml` with Bob of `beta`, who may do everything. */
export function peers(changes: Record<string, unknown> = {}, entry: Record<string, unknown> = {}): PeersConfig {
  return peersSchema.parse({
    v: 1,
    peers: [{ did: bob.did, orgId: 'beta', roles: ['announce', 'serve', 'request'], ...entry }],
    ...changes
  })
}

export function policyOf(result: EffectivePolicyResult): EffectivePolicy {
  if (!result.ok) throw new Error(result.problems.map(({ path, message }) => `${path.join('.')} ${message}`).join('; '))
  return result.policy
}

/** The problems as `file path: message`. */
export function problemsOf(result: EffectivePolicyResult): string[] {
  return result.ok ? [] : result.problems.map(({ file, path, message }) => `${file} ${path.join('.')}: ${message}`)
}

export function policyFor(federationConfig = federation(), peersConfig = peers()): EffectivePolicy {
  return policyOf(effectivePolicy(federationConfig, peersConfig, self))
}
