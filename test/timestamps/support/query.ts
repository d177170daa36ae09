import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, MessageImprint, TimeStampReq } from 'pkijs'
import type { TimeStampReqParameters } from 'pkijs'

export const ROOT = new Uint8Array(32).fill(7)
export const SHA_256 = '2.16.840.1.101.3.4.2.1'
export const SHA_384 = '2.16.840.1.101.3.4.2.2'
export const SHA_512 = '2.16.840.1.101.3.4.2.3'
export const SHA_1 = '1.3.14.3.2.26'

export function imprint(algorithmId: string, hash: Uint8Array): MessageImprint {
  return new MessageImprint({
    hashAlgorithm: new AlgorithmIdentifier({ algorithmId }),
    hashedMessage: new asn1js.OctetString({ valueHex: new Uint8Array(hash) })
  })
}

/** The DER of a query that is good but for the given changes. */
export function queryDer(changes: TimeStampReqParameters = {}): Uint8Array<ArrayBuffer> {
  const query = new TimeStampReq({ version: 1, messageImprint: imprint(SHA_256, ROOT), certReq: true, ...changes })
  return new Uint8Array(query.toSchema().toBER())
}

export function parseQuery(der: Uint8Array): TimeStampReq {
  return new TimeStampReq({ schema: asn1js.fromBER(der).result })
}

/** Posts a query as a client would; the whole HTTP answer. */
export async function postQuery(
  url: string,
  query: Uint8Array<ArrayBuffer>
): Promise<{ status: number; mediaType: string | null; body: Uint8Array<ArrayBuffer> }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/timestamp-query' },
    body: query
  })
  return {
    status: response.status,
    mediaType: response.headers.get('content-type'),
    body: new Uint8Array(await response.arrayBuffer())
  }
}
