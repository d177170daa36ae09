import * as asn1js from 'asn1js'
import { Accuracy } from 'pkijs'
import { describe, expect, it } from 'vitest'
import { CertificateCache } from '../../src/timestamps/rfc3161/certificate-cache.ts'
import { verifyTimestampToken } from '../../src/timestamps/rfc3161/verify-token.ts'
import { tsaPolicy } from './support/certificates.ts'
import { forgeToken } from './support/forged-token.ts'
import { tstInfo } from './support/openssl-authority.ts'
import { imprint, ROOT, SHA_1, SHA_512 } from './support/query.ts'
import { describeTokens, JANUARY, opensslForTokens } from './support/token-suite.ts'

describe.skipIf(!opensslForTokens())('what a token says', () => {
  const suite = describeTokens()

  describe('the TSTInfo', () => {
    it('must be one of version 1, over a hash that counts', async () => {
      await suite.refused('TSA_MALFORMED', await suite.signed('tsa', tstInfo({ version: 2 })))
      await suite.refused('TSA_MALFORMED', await suite.signed('tsa', new TextEncoder().encode('no TSTInfo')))
      await suite.refused(
        'TSA_IMPRINT',
        await suite.signed('tsa', tstInfo({ messageImprint: imprint(SHA_1, ROOT.slice(0, 20)) }))
      )
      await suite.refused('TSA_IMPRINT', await suite.signed('tsa', tstInfo({ messageImprint: imprint(SHA_512, ROOT) })))
    })

    it('says in parts how far off its time may be', async () => {
      const token = await suite.signed('tsa', tstInfo({ accuracy: new Accuracy({ millis: 3, micros: 1 }) }))
      expect(await suite.accepted(token)).toMatchObject({ accuracyMicros: 3_001, provenTime: JANUARY + 4 })
    })

    it('need not say it, unless policy wants to know', async () => {
      const { key, certificate } = await suite.pair('tsa')
      const content = withoutAccuracy()
      const token = forgeToken({ key, certificate, content })
      expect(await suite.accepted(token)).toMatchObject({ genTime: JANUARY, provenTime: JANUARY })
      await suite.refused('TSA_POLICY', token, { policy: { accuracyMsMax: 86_400_000 } })
    })

    it.each([
      ['20260101000000.5Z', JANUARY + 500, JANUARY + 500],
      ['20260101000000.0011Z', JANUARY + 1, JANUARY + 2],
      ['20260101000000.0010000001Z', JANUARY + 1, JANUARY + 2]
    ])('gives its time as finely as %s', async (time, genTime, provenTime) => {
      const { key, certificate } = await suite.pair('tsa')
      const token = forgeToken({ key, certificate, content: withoutAccuracy(time) })
      expect(await suite.accepted(token)).toMatchObject({ genTime, provenTime })
    })

    it.each([
      '20260101000000',
      '202601010000Z',
      '20260101000000+0100',
      '20261301000000Z',
      '20260101000060Z',
      '20260101000000,5Z'
    ])('must not give its time as %s', async (time) => {
      const { key, certificate } = await suite.pair('tsa')
      await suite.refused('TSA_MALFORMED', forgeToken({ key, certificate, content: withoutAccuracy(time) }))
    })
  })

  it('stays refused with any bit changed in what is signed or signs', async () => {
    const token = await suite.signed('tsa', tstInfo(), '-nocerts')
    const [root, own] = [await suite.certificate('root'), await suite.certificate('tsa')]
    const request = {
      expectedImprint: () => ROOT,
      tsaPolicy: tsaPolicy([root], { certificates: [own] }),
      cache: new CertificateCache()
    }
    expect(verifyTimestampToken(token, request)).toMatchObject({ ok: true })
    const unsigned: number[] = []
    for (let index = 0; index < token.length; index += 1) {
      for (const mask of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const verdict = verifyTimestampToken(token.with(index, (token[index] ?? 0) ^ mask), request)
        if (verdict.ok) unsigned.push(index)
      }
    }
    // Nobody signs these: the versions of SignedData and SignerInfo, and the list of digest algorithms that only repeats
    // the signer's. They mean nothing here.
    const listed = token.subarray(0, 60).indexOf(0x31)
    const signerVersion = Buffer.from(token).lastIndexOf(Buffer.from([0x02, 0x01, 0x01, 0x30])) + 2
    const harmless = (index: number): boolean => (index > 20 && index < listed + 20) || index === signerVersion
    expect(unsigned.filter((index) => !harmless(index))).toEqual([])
  })
})

/** A TSTInfo over `ROOT` without an accuracy and with a GeneralizedTime of these characters. */
function withoutAccuracy(time = '20260101000000Z'): Uint8Array {
  const { result } = asn1js.fromBER(tstInfo())
  const fields = (result as asn1js.Sequence).valueBlock.value.slice(0, 4)
  const primitive = new asn1js.Primitive({
    idBlock: { tagClass: 1, tagNumber: 24 },
    valueHex: new TextEncoder().encode(time)
  })
  return new Uint8Array(new asn1js.Sequence({ value: [...fields, primitive] }).toBER())
}
