import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import type { TsaPolicy } from '../../../src/policy/policy.ts'
import { imprintOfRoot, verifyTimestampToken } from '../../../src/timestamps/rfc3161/verify-token.ts'
import type { TokenVerdict, VerifiedToken } from '../../../src/timestamps/rfc3161/verify-token.ts'
import { certificatesOf, tsaPolicy } from './certificates.ts'
import { EXTENSIONS, KEYS, OpensslAuthorities, tstInfo } from './openssl-authority.ts'
import type { Issue } from './openssl-authority.ts'
import { opensslIsInstalled } from './openssl.ts'
import { ROOT } from './query.ts'

/** The genTime of `tstInfo`. */
export const JANUARY = Date.UTC(2026, 0, 1)

/** Whether the openssl command is here; says so where it is not. */
export function opensslForTokens(): boolean {
  const installed = opensslIsInstalled()
  if (!installed) console.info('skipped: the openssl command is not installed, so no authority of it can be asked')
  return installed
}

export interface Verification {
  /** By the names that they were issued with; `root` by default. */
  readonly roots?: readonly string[]
  readonly policy?: Partial<TsaPolicy>
  readonly nonce?: bigint
}

/** What the tests of a suite have in common: a root, an authority `tsa` under it, and verification against them. */
export interface TokenSuite {
  readonly authorities: OpensslAuthorities
  /** As policy holds it. */
  certificate(name: string): Promise<string>
  /** The private key (PEM) and the certificate (DER). */
  pair(name: string): Promise<{ readonly key: string; readonly certificate: Uint8Array }>
  /** Issues a signing certificate under `root`. */
  signer(name: string, changes?: Issue): Promise<void>
  /** A token of `openssl cms` with the signer's binding. */
  signed(name: string, content?: Uint8Array, ...args: readonly string[]): Promise<Uint8Array>
  verify(bytes: Uint8Array, options?: Verification): Promise<TokenVerdict>
  accepted(bytes: Uint8Array, options?: Verification): Promise<VerifiedToken>
  refused(code: string, bytes: Uint8Array, options?: Verification): Promise<void>
}

/** Sets the suite up before the tests of the `describe` that it is called in, and removes it after them. */
export function describeTokens(): TokenSuite {
  let folder: string
  let authorities: OpensslAuthorities
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'anchormesh-tsa-'))
    authorities = await OpensslAuthorities.in(folder)
    await authorities.issue('root', { key: KEYS.rsa })
    await authorities.issue('tsa', { issuer: 'root', extensions: EXTENSIONS.signer })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const suite: TokenSuite = {
    get authorities() {
      return authorities
    },
    certificate: async (name) => certificatesOf(await authorities.read(`${name}.pem`))[0] ?? '',
    pair: async (name) => ({
      key: Buffer.from(await authorities.read(`${name}.key`)).toString(),
      certificate: new Uint8Array(Buffer.from(await suite.certificate(name), 'base64url'))
    }),
    signer: (name, changes = {}) =>
      authorities.issue(name, { issuer: 'root', extensions: EXTENSIONS.signer, ...changes }),
    signed: (name, content = tstInfo(), ...args) => authorities.sign(content, name, '-cades', ...args),
    verify: async (bytes, { roots = ['root'], policy, nonce } = {}) =>
      verifyTimestampToken(bytes, {
        expectedImprint: (hash) => imprintOfRoot(ROOT, hash),
        tsaPolicy: tsaPolicy(await Promise.all(roots.map((name) => suite.certificate(name))), policy),
        ...(nonce === undefined ? {} : { expectedNonce: nonce })
      }),
    accepted: async (bytes, options) => {
      const verdict = await suite.verify(bytes, options)
      if (!verdict.ok) throw new Error(`${verdict.code}: ${verdict.detail}`)
      return verdict.token
    },
    refused: async (code, bytes, options) => {
      expect(await suite.verify(bytes, options)).toMatchObject({ ok: false, code })
    }
  }
  return suite
}

/** The bytes with one bit of one byte changed; a negative index counts from the end. */
export function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const at = index < 0 ? bytes.length + index : index
  return bytes.with(at, (bytes[at] ?? 0) ^ 1)
}
