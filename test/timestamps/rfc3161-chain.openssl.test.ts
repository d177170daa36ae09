import { beforeAll, describe, expect, it } from 'vitest'
import { EXTENSIONS, KEYS, tstInfo } from './support/openssl-authority.ts'
import { describeTokens, JANUARY, opensslForTokens } from './support/token-suite.ts'

describe.skipIf(!opensslForTokens())('where the certificates of a token lead', () => {
  const suite = describeTokens()

  describe('the chain', () => {
    beforeAll(async () => {
      await suite.authorities.issue('middle', { issuer: 'root' })
      await suite.authorities.issue('deep', { issuer: 'middle', extensions: EXTENSIONS.signer })
      await suite.authorities.issue('stranger')
    })

    it('may lead over an authority of the token or of the policy', async () => {
      const alone = await suite.signed('deep')
      await suite.refused('TSA_CHAIN', alone)
      const token = await suite.accepted(await suite.signed('deep', tstInfo(), '-certfile', 'middle.pem'))
      expect(token.chain).toHaveLength(3)
      expect(await suite.accepted(alone, { policy: { certificates: [await suite.certificate('middle')] } })).toEqual(
        token
      )
    })

    it('may end at an authority that is trusted itself, or at the signing certificate', async () => {
      expect((await suite.accepted(await suite.signed('deep'), { roots: ['middle'] })).chain).toHaveLength(2)
      expect((await suite.accepted(await suite.signed('deep'), { roots: ['deep'] })).chain).toHaveLength(1)
    })

    it('must end at a root of the policy, whatever the token brings', async () => {
      await suite.refused('TSA_CHAIN', await suite.signed('tsa', tstInfo(), '-certfile', 'root.pem'), {
        roots: ['stranger']
      })
      await suite.refused('TSA_CHAIN', await suite.signed('tsa'), { roots: [] })
    })

    it('must not rest on a name alone', async () => {
      await suite.authorities.issue('false-root', { subject: 'root', key: KEYS.rsa })
      await suite.refused('TSA_CHAIN', await suite.signed('tsa'), { roots: ['false-root'] })
      // With both of one name, the one that signed is found.
      await suite.accepted(await suite.signed('tsa'), { roots: ['false-root', 'root'] })
    })

    it.each([
      ['is none', ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,keyCertSign']],
      ['does not say that it is one', ['keyUsage=critical,keyCertSign']],
      ['may not sign certificates', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,cRLSign']],
      ['is for other purposes', [...EXTENSIONS.authority, 'extendedKeyUsage=serverAuth']],
      ['has a critical extension that nobody knows', [...EXTENSIONS.authority, '1.2.3.4=critical,ASN1:NULL']],
      ['has name constraints', [...EXTENSIONS.authority, 'nameConstraints=critical,permitted;DNS:example.org']]
    ] as const)('must not lead over an authority that %s', async (name, extensions) => {
      const file = name.replaceAll(' ', '-')
      await suite.authorities.issue(file, { issuer: 'root', extensions })
      await suite.authorities.issue(`${file}-tsa`, { issuer: file, extensions: EXTENSIONS.signer })
      await suite.refused('TSA_CHAIN', await suite.signed(`${file}-tsa`, tstInfo(), '-certfile', `${file}.pem`))
    })

    it('keeps to path lengths', async () => {
      const limited = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign']
      await suite.authorities.issue('limited', { extensions: limited })
      await suite.authorities.issue('limited-tsa', { issuer: 'limited', extensions: EXTENSIONS.signer })
      await suite.accepted(await suite.signed('limited-tsa'), { roots: ['limited'] })
      await suite.authorities.issue('below', { issuer: 'limited' })
      await suite.authorities.issue('below-tsa', { issuer: 'below', extensions: EXTENSIONS.signer })
      await suite.refused('TSA_CHAIN', await suite.signed('below-tsa', tstInfo(), '-certfile', 'below.pem'), {
        roots: ['limited']
      })
    })

    it('does not count towards a path length what an authority issued to itself', async () => {
      const limited = ['basicConstraints=critical,CA:TRUE,pathlen:1', 'keyUsage=critical,keyCertSign']
      await suite.authorities.issue('renewing-root', { extensions: limited })
      await suite.authorities.issue('renewing', { issuer: 'renewing-root' })
      await suite.authorities.issue('renewed', { issuer: 'renewing', subject: 'renewing' })
      await suite.authorities.issue('renewed-tsa', { issuer: 'renewed', extensions: EXTENSIONS.signer })
      const between = { certificates: [await suite.certificate('renewed'), await suite.certificate('renewing')] }
      const token = await suite.signed('renewed-tsa')
      const { chain } = await suite.accepted(token, { roots: ['renewing-root'], policy: between })
      expect(chain).toHaveLength(4)
    })

    it('must hold at genTime, to the second, for every certificate of it', async () => {
      await suite.signer('short', { start: '260101000000Z', end: '260102000000Z' })
      const at = (genTime: number): Promise<Uint8Array> =>
        suite.signed('short', tstInfo({ genTime: new Date(genTime) }))
      await suite.accepted(await at(JANUARY))
      await suite.accepted(await at(Date.UTC(2026, 0, 2)))
      await suite.refused('TSA_EXPIRED', await at(JANUARY - 1))
      await suite.refused('TSA_EXPIRED', await at(Date.UTC(2026, 0, 2) + 1))
      await suite.authorities.issue('old-root', { start: '100101000000Z', end: '200101000000Z' })
      await suite.authorities.issue('old-tsa', { issuer: 'old-root', extensions: EXTENSIONS.signer })
      await suite.refused('TSA_EXPIRED', await suite.signed('old-tsa'), { roots: ['old-root'] })
    })

    it('is not looked for without end where all certificates signed each other', async () => {
      // One name and one key, so that each is an issuer of each.
      await suite.authorities.issue('tangle')
      const copies = Array.from({ length: 10 }, (_, index) => `tangle-${index}`)
      for (const copy of copies) await suite.authorities.reissue('tangle', copy, 'tangle')
      await suite.authorities.issue('tangle-tsa', { issuer: 'tangle', extensions: EXTENSIONS.signer })
      const certificates = await Promise.all(copies.map((name) => suite.certificate(name)))
      // The copies are valid from now on.
      const token = await suite.signed('tangle-tsa', tstInfo({ genTime: new Date(Date.UTC(2040, 0, 1)) }))
      const verdict = await suite.verify(token, { policy: { certificates } })
      expect(verdict).toMatchObject({
        ok: false,
        code: 'TSA_CHAIN',
        detail: 'too many signatures would have to be looked at'
      })
      await suite.accepted(token, { roots: ['tangle-9'], policy: { certificates } })
    })
  })
})
