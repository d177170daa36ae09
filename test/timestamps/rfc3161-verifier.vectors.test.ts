import { hash as digest } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { TimeStampReq } from 'pkijs'
import { expect, it } from 'vitest'
import { fromBase64url, fromHex } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { HashName } from '../../src/timestamps/rfc3161/algorithms.ts'
import { verifyTimestampToken } from '../../src/timestamps/rfc3161/verify-token.ts'
import type { TokenVerdict } from '../../src/timestamps/rfc3161/verify-token.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'
import { certificatesOf, tsaPolicy } from './support/certificates.ts'

interface VectorEntry {
  readonly file: string
  readonly genTime: string | null
  /** What was stamped, or the query for it, or (with neither) the imprint itself. */
  readonly data: string | null
  readonly query: string | null
  readonly imprint: string | null
  readonly trust: readonly string[]
  readonly untrusted: readonly string[]
  readonly expect: string
  readonly why: string
  readonly openssl: 'accept' | 'reject'
}

const NOTARY = 'notaryproject-tspclient-go'

/**
 * The codes of what is to be refused, by the file and, where that is good in itself, by what is wrong with what is asked
 * of it. Most of the edited tokens were edited inside the signed attributes, so their signature is broken too, and that
 * is looked at first.
 */
const CODES: Readonly<Record<string, string>> = {
  'digicert-ysimonx/file.digicert.tsr: signer cert neither embedded nor supplied': 'TSA_CHAIN',
  'digicert-ysimonx/file.digicert.tsr: imprint mismatch (wrong.txt is ours)': 'TSA_IMPRINT',
  'freetsa-kassemmostafa/file.tsr: signer cert missing': 'TSA_CHAIN',
  'freetsa-kassemmostafa/diplome.tsr: request of another document: nonce/imprint mismatch': 'TSA_IMPRINT',
  'trailofbits-rfc3161-client/sigstage/response-invalid-signature.tsr: signature bytes altered upstream':
    'TSA_SIGNATURE',
  'trailofbits-rfc3161-client/test_tsa/response.tsr: nonce of another request': 'TSA_NONCE',
  [`${NOTARY}/SHA1TimeStampToken.p7s`]: 'TSA_IMPRINT',
  [`${NOTARY}/TimeStampTokenWithInvalidSignature.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithInvalidSigningCertificateV2.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithInvalidTSTInfo.p7s`]: 'TSA_MALFORMED',
  [`${NOTARY}/TimeStampTokenWithInvalideContentType.p7s`]: 'TSA_MALFORMED',
  [`${NOTARY}/TimeStampTokenWithMismatchCertHash.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithSHA1CertHash.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithSigningCertificateV2NoCert.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithTSTInfoVersion2.p7s`]: 'TSA_MALFORMED',
  [`${NOTARY}/TimeStampTokenWithWrongSigningCertificateV2IssuerChoiceTag.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithoutCertificate.p7s`]: 'TSA_CHAIN',
  [`${NOTARY}/TimeStampTokenWithoutSigningCertificate.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/TimeStampTokenWithoutSigningCertificateV2IssuerSerial.p7s`]: 'TSA_SIGNATURE',
  [`${NOTARY}/malformed.tsq`]: 'TSA_MALFORMED',
  [`${NOTARY}/rejection.tsq`]: 'TSA_MALFORMED'
}

describeThirdParty('rfc3161', (folder) => {
  const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)))
  const entries = readJson(folder, 'manifest-dev.json') as readonly VectorEntry[]

  const judge = (entry: VectorEntry, roots = certificatesOf(...entry.trust.map(bytesOf))): TokenVerdict => {
    const query = queryOf(entry)
    return verifyTimestampToken(bytesOf(entry.file), {
      expectedImprint: (hash) => query?.hashedMessage ?? stampedOf(entry, hash),
      tsaPolicy: tsaPolicy(roots, {
        certificates: certificatesOf(...entry.untrusted.map(bytesOf))
      }),
      ...(query?.nonce === undefined ? {} : { expectedNonce: query.nonce })
    })
  }
  const stampedOf = ({ data, imprint }: VectorEntry, hash: HashName): Uint8Array | null =>
    data === null ? fromHex(imprint ?? '') : new Uint8Array(digest(hash, bytesOf(data), 'buffer'))
  const queryOf = ({ query, why, file }: VectorEntry): { hashedMessage: Uint8Array; nonce?: bigint } | null => {
    const name = why.startsWith('request of another document') ? file.replace('diplome.tsr', 'file.tsq') : query
    if (name === null) return null
    const { messageImprint, nonce } = new TimeStampReq({ schema: asn1js.fromBER(bytesOf(name)).result })
    const hashedMessage = new Uint8Array(messageImprint.hashedMessage.getValue())
    return { hashedMessage, ...(nonce === undefined ? {} : { nonce: nonce.toBigInt() }) }
  }

  const nameOf = ({ file, why }: VectorEntry): string => (why === '' ? file : `${file}: ${why}`)
  // 'see openssl' stands for what openssl takes; everything else that is no 'accept' is a refusal with its reason.
  const isGood = (entry: VectorEntry): boolean =>
    entry.expect === 'accept' || (entry.expect === 'see openssl' && entry.openssl === 'accept')
  const named = entries.map((entry, index) => [`${index} ${nameOf(entry)}`, entry] as const)

  it.each(named.filter(([, entry]) => isGood(entry)))('%s: proves its time', (_name, entry) => {
    const verdict = judge(entry)
    if (!verdict.ok) throw new Error(`${verdict.code}: ${verdict.detail}`)
    const { genTime, provenTime, chain } = verdict.token
    expect(Math.floor(genTime / 1000) * 1000).toBe(Date.parse(entry.genTime ?? ''))
    expect(provenTime).toBeGreaterThanOrEqual(genTime)
    const roots = certificatesOf(...entry.trust.map(bytesOf)).map((root) => sha256Hex(fromBase64url(root) ?? ''))
    expect(roots).toContain(chain.at(-1))
  })

  it.each(named.filter(([, entry]) => !isGood(entry)))('%s: is refused', (_name, entry) => {
    expect(judge(entry)).toMatchObject({ ok: false, code: CODES[nameOf(entry)] ?? 'a code is missing here' })
  })

  it('no good token proves anything to who trusts other roots', () => {
    const other = certificatesOf(bytesOf('ca-certs-rfc3161ng/freetsa_cacert.pem'))
    for (const [, entry] of named.filter(([, { trust }]) => !trust.some((file) => file.includes('freetsa')))) {
      expect(judge(entry, other)).toMatchObject({ ok: false })
    }
  })
})
