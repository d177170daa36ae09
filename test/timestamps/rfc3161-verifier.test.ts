import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { toBase64url, toHex } from '../../protocols/primitives/bytes.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { TsaPolicy } from '../../src/policy/policy.ts'
import { createDevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import type { DevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import { CertificateCache } from '../../src/timestamps/rfc3161/certificate-cache.ts'
import { createRfc3161Verifier } from '../../src/timestamps/rfc3161/verifier.ts'
import { imprintOfRoot, verifyTimestampToken } from '../../src/timestamps/rfc3161/verify-token.ts'
import type { VerifierResult } from '../../src/timestamps/verifier.ts'
import { certificate, octets, sequence, SIGNER } from '../protocols/vectors/tsa-der.ts'
import { token, tstInfo } from '../protocols/vectors/tsa-token.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { certificatesOf, tsaPolicy } from './support/certificates.ts'
import { mutate, mutationsOf } from './support/mutations.ts'
import { tokenOf } from './support/openssl-authority.ts'
import { imprint, queryDer, ROOT, SHA_384 } from './support/query.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0, 250)

describe('tokens of the development authority', () => {
  let authority: DevelopmentAuthority
  let policy: TsaPolicy
  let other: TsaPolicy
  let response: Uint8Array
  beforeAll(async () => {
    const clock = createHandClock(NOW_MS)
    authority = await createDevelopmentAuthority({ clock, random: systemRandom })
    policy = tsaPolicy(certificatesOf(authority.rootCertificatePem))
    const stranger = await createDevelopmentAuthority({ clock, random: systemRandom })
    other = tsaPolicy(certificatesOf(stranger.rootCertificatePem))
    response = (await authority.answer(queryDer())).reply
  })

  const verify = (
    evidence: Uint8Array | string | { readonly blob: string },
    tsa = 'dev',
    root: Uint8Array = ROOT
  ): Promise<VerifierResult> => {
    const policies: Readonly<Record<string, TsaPolicy>> = {
      dev: policy,
      other,
      rootless: tsaPolicy([]),
      unreadable: tsaPolicy([...policy.roots, 'AAAA'])
    }
    const timestampAnchor = {
      chainId: `rfc3161:${tsa}`,
      token: evidence instanceof Uint8Array ? toBase64url(evidence) : evidence
    }
    return createRfc3161Verifier((name) => policies[name]).verify(
      { timestampAnchor, batchRoot: toHex(root), finality: {} },
      new AbortController().signal
    )
  }

  it('handles the rail and no other', () => {
    const verifier = createRfc3161Verifier(() => policy)
    expect(verifier.handles('rfc3161:dev')).toBe(true)
    expect(verifier.handles('btc:mainnet')).toBe(false)
    expect(verifier.handles('eip155:3161')).toBe(false)
  })

  it('are valid for the root, as token and as whole response', async () => {
    const result = await verify(tokenOf(response))
    expect(result).toMatchObject({ outcome: 'valid', position: NOW_MS, provenTime: NOW_MS + 1_000, finality: {} })
    expect(result).not.toHaveProperty('recheckAfterMs')
    expect(result).toHaveProperty('evidence.chain.length', 2)
    expect(await verify(response)).toEqual(result)
  })

  it('are valid for a longer hash of the root', async () => {
    const query = queryDer({ messageImprint: imprint(SHA_384, imprintOfRoot(ROOT, 'sha384')) })
    const result = await verify((await authority.answer(query)).reply)
    expect(result).toMatchObject({ outcome: 'valid', evidence: { hash: 'sha384' } })
  })

  it('prove nothing of another root, nor to who trusts another authority', async () => {
    expect(await verify(response, 'dev', ROOT.with(5, 1))).toMatchObject({ outcome: 'invalid', code: 'TSA_IMPRINT' })
    expect(await verify(response, 'other')).toMatchObject({ outcome: 'invalid', code: 'TSA_CHAIN' })
    expect(await verify('AAAA')).toMatchObject({ outcome: 'invalid', code: 'TSA_MALFORMED' })
  })

  it('are undecided where bytes or roots are missing', async () => {
    const blob = await verify({ blob: toHex(ROOT) })
    expect(blob).toMatchObject({ outcome: 'unreachable', code: 'EVIDENCE_MISSING' })
    for (const tsa of ['unknown', 'rootless', 'unreadable']) {
      expect(await verify(response, tsa)).toMatchObject({ outcome: 'unreachable', code: 'ROOTS_MISSING' })
    }
  })

  it('have at most 64 KiB, whatever fills them', () => {
    const root = certificate('tsa root')
    const signer = certificate('tsa', { issuer: root, serial: 3, extensions: SIGNER })
    const sized = (bytes: number): Uint8Array => {
      const filling = { ...signer, der: sequence(octets(new Uint8Array(bytes))) }
      return token(tstInfo({ imprint: ROOT }), { signer, certificates: [signer, filling] })
    }
    const request = { expectedImprint: () => ROOT, tsaPolicy: tsaPolicy(certificatesOf(root.der)) }
    const overhead = sized(60_000).length - 60_000
    expect(verifyTimestampToken(sized(65_536 - overhead), request)).toMatchObject({ ok: true })
    expect(verifyTimestampToken(sized(65_537 - overhead), request)).toMatchObject({ ok: false, code: 'TSA_MALFORMED' })
  })

  it('say the same whatever was verified before', async () => {
    const cache = new CertificateCache()
    const judge = (used?: CertificateCache): unknown =>
      verifyTimestampToken(response, {
        expectedImprint: () => ROOT,
        tsaPolicy: policy,
        ...(used === undefined ? {} : { cache: used })
      })
    const first = judge(cache)
    expect(first).toMatchObject({ ok: true })
    expect(judge(cache)).toEqual(first)
    expect(judge()).toEqual(first)
  })

  it('never throw, nor prove anything else or under other roots, however they are mutated', () => {
    const cache = new CertificateCache()
    const request = { expectedImprint: () => ROOT, cache }
    const evidence = tokenOf(response)
    const good = verifyTimestampToken(evidence, { ...request, tsaPolicy: policy })
    fc.assert(
      fc.property(fc.constantFrom(evidence, response), mutationsOf(response.length), (bytes, mutations) => {
        const mutated = mutate(bytes, mutations)
        const verdict = verifyTimestampToken(mutated, { ...request, tsaPolicy: policy })
        // What is not signed may change: then it says what it said.
        if (verdict.ok) expect(verdict).toEqual(good)
        expect(verifyTimestampToken(mutated, { ...request, tsaPolicy: other })).toMatchObject({ ok: false })
      }),
      { numRuns: 2_000 }
    )
  })

  it('never throw on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const verdict = verifyTimestampToken(bytes, { expectedImprint: () => ROOT, tsaPolicy: policy })
        expect(verdict).toMatchObject({ ok: false, code: 'TSA_MALFORMED' })
      }),
      { numRuns: 2_000 }
    )
  })
})
