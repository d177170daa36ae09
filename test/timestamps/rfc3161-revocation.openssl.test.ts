import { describe, expect, it } from 'vitest'
import { EXTENSIONS, tstInfo, withRevocation, withRevocationValues } from './support/openssl-authority.ts'
import { describeTokens, opensslForTokens } from './support/token-suite.ts'

describe.skipIf(!opensslForTokens())('tokens with revocation data', () => {
  const suite = describeTokens()

  describe('revocation data in the token', () => {
    const dayBefore = Date.UTC(2026, 0, 1)
    const now = tstInfo({ genTime: new Date(Date.UTC(2040, 0, 1)) })
    const earlier = tstInfo({ genTime: new Date(dayBefore) })

    it('makes a revoked signing certificate worthless from then on, or at all times unless it was given up in good order', async () => {
      await suite.signer('superseded')
      const crl = await suite.authorities.revoke('superseded', 'root', '-crl_reason', 'superseded')
      await suite.refused('TSA_REVOKED', withRevocation(await suite.signed('superseded', now), [crl]))
      await suite.refused('TSA_REVOKED', withRevocationValues(await suite.signed('superseded', now), crl))
      await suite.accepted(withRevocation(await suite.signed('superseded', earlier), [crl]))
      await suite.accepted(withRevocation(await suite.signed('tsa', now), [crl]))

      await suite.signer('compromised')
      const stolen = await suite.authorities.revoke('compromised', 'root', '-crl_reason', 'keyCompromise')
      await suite.refused('TSA_REVOKED', withRevocation(await suite.signed('compromised', earlier), [stolen]))
      await suite.signer('unexplained')
      const unexplained = await suite.authorities.revoke('unexplained', 'root')
      await suite.refused('TSA_REVOKED', withRevocation(await suite.signed('unexplained', earlier), [unexplained]))
    })

    it('makes a revoked authority worthless', async () => {
      await suite.authorities.issue('fallen', { issuer: 'root' })
      await suite.authorities.issue('fallen-tsa', { issuer: 'fallen', extensions: EXTENSIONS.signer })
      const token = await suite.signed('fallen-tsa', now, '-certfile', 'fallen.pem')
      await suite.accepted(withRevocation(token, [await suite.authorities.crl('root')]))
      const crl = await suite.authorities.revoke('fallen', 'root', '-crl_reason', 'cessationOfOperation')
      await suite.refused('TSA_REVOKED', withRevocation(token, [crl]))
    })

    it('counts for nothing when it is signed by somebody else, and says so', async () => {
      await suite.signer('slandered')
      await suite.authorities.issue('slanderer', { subject: 'root' })
      await suite.authorities.copyDatabase('root', 'slanderer')
      const token = await suite.signed('slandered', now)
      await suite.authorities.revoke('slandered', 'root')
      await suite.authorities.copyDatabase('root', 'slanderer')
      const verdict = await suite.accepted(withRevocation(token, [await suite.authorities.crl('slanderer')]))
      expect(verdict.ignoredRevocationData).toEqual(['crl: signature does not verify'])
      // The list of an authority that has no part in the chain is nothing to speak of.
      await suite.authorities.issue('bystander')
      const besides = await suite.accepted(withRevocation(token, [await suite.authorities.crl('bystander')]))
      expect(besides.ignoredRevocationData).toEqual([])
      const broken = await suite.accepted(withRevocation(token, [tstInfo()]))
      expect(broken.ignoredRevocationData).toEqual([expect.stringMatching(/^crl: /)])
    })

    it('counts for nothing when its issuer may not sign lists, or its responder was out of date, and says so', async () => {
      // The certificates that they sign are as good as others.
      await suite.authorities.issue('listless', {
        extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']
      })
      await suite.authorities.issue('unlisted', { issuer: 'listless', extensions: EXTENSIONS.signer })
      const token = await suite.signed('unlisted', now)
      const crl = await suite.authorities.revoke('unlisted', 'listless')
      const unlisted = await suite.accepted(withRevocation(token, [crl]), { roots: ['listless'] })
      expect(unlisted.ignoredRevocationData).toEqual(['crl: signature does not verify'])

      const late = { issuer: 'listless', end: '250101000000Z', extensions: ['extendedKeyUsage=OCSPSigning'] }
      await suite.authorities.issue('late-responder', late)
      const response = await suite.authorities.ocsp('unlisted', 'listless', 'late-responder')
      const unanswered = await suite.accepted(withRevocation(token, [], [response]), { roots: ['listless'] })
      expect(unanswered.ignoredRevocationData).toEqual(['ocsp: signature does not verify'])
      // It is the list and the responder that do not count, not what they say.
      const inTime = await suite.authorities.ocsp('unlisted', 'listless', 'listless')
      await suite.refused('TSA_REVOKED', withRevocation(token, [], [inTime]), { roots: ['listless'] })
    })

    it('may be an OCSP response of the issuer, or of who was appointed by it', async () => {
      const responder = { issuer: 'root', extensions: ['extendedKeyUsage=OCSPSigning'] }
      await suite.authorities.issue('responder', responder)
      await suite.authorities.issue('not-a-responder', { issuer: 'root', extensions: ['extendedKeyUsage=clientAuth'] })
      await suite.signer('ocsp-tsa')
      const token = await suite.signed('ocsp-tsa', now)
      await suite.accepted(withRevocation(token, [], [await suite.authorities.ocsp('ocsp-tsa', 'root', 'root')]))
      await suite.authorities.revoke('ocsp-tsa', 'root', '-crl_reason', 'superseded')
      for (const by of ['root', 'responder']) {
        const response = await suite.authorities.ocsp('ocsp-tsa', 'root', by)
        await suite.refused('TSA_REVOKED', withRevocation(token, [], [response]))
        await suite.accepted(withRevocation(await suite.signed('ocsp-tsa', earlier), [], [response]))
        await suite.accepted(withRevocation(await suite.signed('tsa', now), [], [response]))
      }
      const false_ = await suite.authorities.ocsp('ocsp-tsa', 'root', 'not-a-responder')
      const verdict = await suite.accepted(withRevocation(token, [], [false_]))
      expect(verdict.ignoredRevocationData).toEqual(['ocsp: signature does not verify'])
    })
  })
})
