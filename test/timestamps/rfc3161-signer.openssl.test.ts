import * as asn1js from 'asn1js'
import { describe, expect, it } from 'vitest'
import { contentType, essCertificate, forgeToken, goodAttributes, messageDigest } from './support/forged-token.ts'
import type { EssCertificate } from './support/forged-token.ts'
import { EXTENSIONS, KEYS, tstInfo } from './support/openssl-authority.ts'
import { queryDer } from './support/query.ts'
import { describeTokens, flipped, JANUARY, opensslForTokens } from './support/token-suite.ts'

describe.skipIf(!opensslForTokens())('who signed a token, and how', () => {
  const suite = describeTokens()

  describe('what it is signed with', () => {
    it.each(['p384', 'p521', 'rsa'] as const)('may be a key %s', async (kind) => {
      await suite.signer(kind, { key: KEYS[kind] })
      expect(await suite.accepted(await suite.signed(kind))).toMatchObject({
        genTime: JANUARY,
        provenTime: JANUARY + 2_000
      })
    })

    it.each(['sha384', 'sha512'])('may be signed with %s', async (hash) => {
      await suite.accepted(await suite.signed('tsa', tstInfo(), '-md', hash))
    })

    it('may be RSASSA-PSS, with any length of salt', async () => {
      await suite.signer('pss', { key: KEYS.rsa })
      for (const salt of ['32', '20', 'max']) {
        const options = ['-keyopt', 'rsa_padding_mode:pss', '-keyopt', `rsa_pss_saltlen:${salt}`]
        const token = await suite.signed('pss', tstInfo(), ...options)
        await suite.accepted(token)
        await suite.refused('TSA_SIGNATURE', flipped(token, -1))
      }
    })

    it('may not be SHA-1, an old curve or a short key', async () => {
      await suite.refused('TSA_SIGNATURE', await suite.signed('tsa', tstInfo(), '-md', 'sha1'))
      await suite.signer('secp256k1', { key: KEYS.secp256k1 })
      await suite.refused('TSA_SIGNATURE', await suite.signed('secp256k1'))
      await suite.signer('rsa1024', { key: KEYS.rsa1024 })
      await suite.refused('TSA_SIGNATURE', await suite.signed('rsa1024'))
    })

    it('must verify', async () => {
      await suite.refused('TSA_SIGNATURE', flipped(await suite.signed('tsa'), -1))
    })

    it('must be bound to the certificate, by ESSCertID of version 1 or 2', async () => {
      await suite.refused('TSA_CERT_BINDING', await suite.authorities.sign(tstInfo(), 'tsa'))
      for (const algorithm of ['sha1', 'sha256', 'sha384', 'sha512']) {
        await suite.authorities.configure(`ess_cert_id_alg = ${algorithm}`)
        await suite.accepted(await suite.authorities.reply(queryDer(), 'tsa'))
      }
    })

    it('must be bound to the certificate that it comes with', async () => {
      // Same name, key and serial number, and another certificate: the binding is what tells them apart.
      const bound = await suite.signed('tsa')
      await suite.authorities.reissue('tsa', 'tsa-again', 'root')
      const again = await suite.certificate('tsa-again')
      const stripped = await suite.signed('tsa', tstInfo(), '-nocerts')
      await suite.accepted(stripped, { policy: { certificates: [again, await suite.certificate('tsa')] } })
      await suite.refused('TSA_CERT_BINDING', stripped, { policy: { certificates: [again] } })
      await suite.accepted(bound, { policy: { certificates: [again] } })
    })

    it('may be Ed25519, which the openssl command does not make', async () => {
      await suite.signer('ed25519', { key: KEYS.ed25519 })
      const token = forgeToken({
        ...(await suite.pair('ed25519')),
        signatureAlgorithm: '1.3.101.112',
        signatureHash: null
      })
      await suite.accepted(token)
      await suite.refused('TSA_SIGNATURE', flipped(token, -1))
      const p256 = { ...(await suite.pair('tsa')), signatureAlgorithm: '1.3.101.112' }
      await suite.refused('TSA_SIGNATURE', forgeToken(p256))
    })

    it('is over the attributes in the order of DER, however they stand', async () => {
      const { key, certificate } = await suite.pair('tsa')
      const attributes = goodAttributes(tstInfo(), certificate).toReversed()
      await suite.accepted(forgeToken({ key, certificate, attributes, unsorted: true }))
    })

    it.each<[string, string, (certificate: Uint8Array, other: Uint8Array) => asn1js.Sequence[]]>([
      ['TSA_MALFORMED', 'no content type', (own) => [messageDigest(tstInfo()), essCertificate({ certificate: own })]],
      ['TSA_MALFORMED', 'no digest', (own) => [contentType(), essCertificate({ certificate: own })]],
      ['TSA_MALFORMED', 'two digests', (own) => [...goodAttributes(tstInfo(), own), messageDigest(new Uint8Array(1))]],
      [
        'TSA_SIGNATURE',
        'another content type',
        (own) => [contentType('1.2.3'), ...goodAttributes(tstInfo(), own).slice(1)]
      ],
      ['TSA_SIGNATURE', 'the digest of another content', (own) => goodAttributes(tstInfo({ version: 2 }), own)],
      ['TSA_CERT_BINDING', 'no binding', (own) => goodAttributes(tstInfo(), own).slice(0, 2)],
      ['TSA_CERT_BINDING', 'the hash of another certificate', (_own, other) => goodAttributes(tstInfo(), other)],
      ['TSA_CERT_BINDING', 'SHA-1 in version 2', (own) => boundBy({ certificate: own, algorithm: 'sha1' })],
      [
        'TSA_CERT_BINDING',
        'an issuer and serial number of another one',
        (own, other) => boundBy({ certificate: own, issuerSerialOf: other })
      ],
      [
        'TSA_CERT_BINDING',
        'an issuer that is no directory name',
        (own) => boundBy({ certificate: own, issuerSerialOf: own, nameTag: 5 })
      ],
      [
        'TSA_CERT_BINDING',
        'a good version 1 and a false version 2',
        (own, other) => boundBy({ certificate: own, version: 1 }, { certificate: other })
      ],
      [
        'TSA_CERT_BINDING',
        'a false version 1 and a good version 2',
        (own, other) => boundBy({ certificate: other, version: 1 }, { certificate: own })
      ]
    ])('%s: may not have %s', async (code, _name, attributes) => {
      const { key, certificate } = await suite.pair('tsa')
      await suite.refused(
        code,
        forgeToken({ key, certificate, attributes: attributes(certificate, (await suite.pair('root')).certificate) })
      )
    })

    it('may have both versions of the binding, with issuer and serial number', async () => {
      const { key, certificate } = await suite.pair('tsa')
      const names = { certificate, issuerSerialOf: certificate }
      const attributes = boundBy({ ...names, version: 1 }, { ...names, algorithm: 'sha256' })
      await suite.accepted(forgeToken({ key, certificate, attributes }))
    })

    it('must be signed once', async () => {
      const twice = ['-signer', 'tsa.pem', '-inkey', 'tsa.key']
      await suite.signer('second')
      await suite.refused('TSA_MALFORMED', await suite.signed('second', tstInfo(), ...twice))
    })

    it('must have signed attributes', async () => {
      await suite.refused('TSA_MALFORMED', await suite.authorities.sign(tstInfo(), 'tsa', '-noattr'))
    })

    it('may name its certificate by key identifier', async () => {
      await suite.signer('keyid', { extensions: [...EXTENSIONS.signer, 'subjectKeyIdentifier=hash'] })
      await suite.accepted(await suite.signed('keyid', tstInfo(), '-keyid'))
    })
  })
})

function boundBy(...bindings: readonly EssCertificate[]): asn1js.Sequence[] {
  return [contentType(), messageDigest(tstInfo()), ...bindings.map(essCertificate)]
}
