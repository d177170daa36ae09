import * as asn1js from 'asn1js'
import { describe, expect, it } from 'vitest'
import { imprintOfRoot } from '../../src/timestamps/rfc3161/verify-token.ts'
import { tokenOf } from './support/openssl-authority.ts'
import { imprint, postQuery, queryDer, ROOT, SHA_256, SHA_384, SHA_512 } from './support/query.ts'
import { describeTokens, opensslForTokens } from './support/token-suite.ts'
import { sendReply, startWrongAuthority } from './support/wrong-authority.ts'

describe.skipIf(!opensslForTokens())('tokens of openssl authorities', () => {
  const suite = describeTokens()

  describe('openssl ts behind an HTTP endpoint', () => {
    const ask = async (
      query: Uint8Array<ArrayBuffer>,
      name = 'tsa',
      ...args: readonly string[]
    ): Promise<Uint8Array> => {
      await using server = await startWrongAuthority(async (asked, response) =>
        sendReply(response, await suite.authorities.reply(asked, name, ...args))
      )
      return (await postQuery(server.url, query)).body
    }

    it('grants what proves the root: the whole response, and the token in it', async () => {
      const response = await ask(queryDer())
      const token = await suite.accepted(response)
      expect(await suite.accepted(tokenOf(response))).toEqual(token)
      expect(token).toMatchObject({ policy: '1.3.6.1.4.1.32473.1', hash: 'sha256', signer: 'CN=tsa' })
      expect(token.accuracyMicros).toBe(1_500_100)
      expect(token.provenTime).toBe(token.genTime + 1_501)
      expect(token.chain).toHaveLength(2)
    })

    it.each([
      ['sha384', SHA_384],
      ['sha512', SHA_512]
    ] as const)('proves a root by its %s', async (hash, oid) => {
      const good = await ask(queryDer({ messageImprint: imprint(oid, imprintOfRoot(ROOT, hash)) }))
      expect(await suite.accepted(good)).toMatchObject({ hash })
      await suite.refused(
        'TSA_IMPRINT',
        await ask(queryDer({ messageImprint: imprint(oid, imprintOfRoot(ROOT.with(0, 8), hash)) }))
      )
    })

    it('proves nothing of another root', async () => {
      await suite.refused('TSA_IMPRINT', await ask(queryDer({ messageImprint: imprint(SHA_256, ROOT.with(31, 8)) })))
    })

    it('answers the nonce of its own query and no other', async () => {
      const response = await ask(queryDer({ nonce: new asn1js.Integer({ value: 77 }) }))
      await suite.accepted(response, { nonce: 77n })
      await suite.refused('TSA_NONCE', response, { nonce: 78n })
      await suite.refused('TSA_NONCE', await ask(queryDer()), { nonce: 77n })
    })

    it('is refused by a policy that asks for another one, or for less deviation', async () => {
      const response = await ask(queryDer())
      await suite.accepted(response, { policy: { policies: ['1.2.3', '1.3.6.1.4.1.32473.1'], accuracyMsMax: 1_501 } })
      await suite.refused('TSA_POLICY', response, { policy: { policies: ['1.2.3'] } })
      await suite.refused('TSA_POLICY', response, { policy: { accuracyMsMax: 1_500 } })
    })

    it('needs the certificates that its token leaves out', async () => {
      const response = await ask(queryDer({ certReq: false }))
      await suite.refused('TSA_CHAIN', response)
      await suite.accepted(response, { policy: { certificates: [await suite.certificate('tsa')] } })
    })

    it('is refused when it refuses', async () => {
      const verdict = await suite.verify(await ask(new Uint8Array([0x30, 0x00])))
      expect(verdict).toMatchObject({ ok: false, code: 'TSA_MALFORMED' })
      expect(verdict).toHaveProperty('detail', expect.stringMatching(/refused: rejection/))
    })
  })

  describe('the purpose of the signing certificate', () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['no extended key usage', ['keyUsage=critical,digitalSignature']],
      ['one that is not critical', ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=timeStamping']],
      ['another purpose', ['extendedKeyUsage=critical,codeSigning']],
      ['another purpose too', ['extendedKeyUsage=critical,timeStamping,codeSigning']],
      ['any purpose', ['extendedKeyUsage=critical,anyExtendedKeyUsage']],
      [
        'a key usage without signatures',
        ['keyUsage=critical,keyEncipherment', 'extendedKeyUsage=critical,timeStamping']
      ]
    ]
    it.each(cases)('may not be %s', async (name, extensions) => {
      const file = name.replaceAll(' ', '-')
      await suite.signer(file, { extensions })
      await suite.refused('TSA_EKU', await suite.signed(file))
    })

    it.each([
      ['nonRepudiation alone', ['keyUsage=critical,nonRepudiation', 'extendedKeyUsage=critical,timeStamping']],
      ['no key usage at all', ['extendedKeyUsage=critical,timeStamping']]
    ] as const)('may be %s', async (name, extensions) => {
      const file = name.replaceAll(' ', '-')
      await suite.signer(file, { extensions })
      await suite.accepted(await suite.signed(file))
    })
  })
})
