import * as asn1js from 'asn1js'
import { ContentInfo, id_eContentType_TSTInfo, PKIStatus, SignedData, TimeStampResp, TSTInfo } from 'pkijs'
import type { PKIStatusInfo } from 'pkijs'
import { messageOf } from '../../platform/errors.ts'
import { decodeFailures, parseWhole } from './rfc3161.ts'

/** What a token says of itself. Nothing here has been verified: neither the signature nor the certificates. */
export interface UnverifiedToken {
  /** The TimeStampToken (a CMS ContentInfo), byte for byte as the authority sent it. */
  readonly token: Uint8Array
  /** The object identifier of the imprint's hash algorithm. */
  readonly hashAlgorithm: string
  readonly hashedMessage: Uint8Array
  /** Integer milliseconds since 1970; a finer fraction is cut off. */
  readonly genTime: number
  /** Lower-case hex of the positive integer, without a leading zero byte. */
  readonly serialNumber: string
  readonly nonce?: bigint
  /** How many certificates the token carries. */
  readonly certificateCount: number
}

export type ReadResponse =
  | { readonly ok: true; readonly granted: true; readonly token: UnverifiedToken }
  /** `detail` names the PKIStatus, the failures and the authority's own words, in printable characters. */
  | { readonly ok: true; readonly granted: false; readonly detail: string }
  | { readonly ok: false; readonly detail: string }

// Of what an authority says about its refusal: enough for any sentence, short enough for a log line.
const STATUS_TEXT_CHARS_MAX = 200

/**
 * Reads a TimeStampResp's bytes (RFC 3161 2.4.2). `granted` and `grantedWithMods` come with a token and every other
 * status without one. `ok: false` is for bytes that are no such response; a token that is no SignedData over a TSTInfo
 * of version 1 makes it none.
 */
export function readTimestampResponse(bytes: Uint8Array): ReadResponse {
  try {
    const response = parseWhole(bytes)
    // Taken before pkijs reads the tree: these are the bytes that were signed and that will be kept.
    const tokenBytes = childOf(response, 1)?.valueBeforeDecodeView
    const { status, timeStampToken } = new TimeStampResp({ schema: response })
    if (status.status !== PKIStatus.granted && status.status !== PKIStatus.grantedWithMods) {
      return { ok: true, granted: false, detail: describeRefusal(status) }
    }
    if (timeStampToken === undefined || tokenBytes === undefined)
      return { ok: false, detail: 'granted without a token' }
    return { ok: true, granted: true, token: readToken(timeStampToken, tokenBytes) }
  } catch (error) {
    // Both parsers say by an exception that bytes do not have the form; that is this function's answer, not a defect.
    return { ok: false, detail: `no RFC 3161 response: ${messageOf(error)}` }
  }
}

function readToken(contentInfo: ContentInfo, token: Uint8Array): UnverifiedToken {
  if (contentInfo.contentType !== ContentInfo.SIGNED_DATA) {
    throw new Error(`the token's content type is ${contentInfo.contentType}, not SignedData`)
  }
  const signedData = new SignedData({ schema: contentInfo.content })
  const { eContentType, eContent } = signedData.encapContentInfo
  if (eContentType !== id_eContentType_TSTInfo) throw new Error(`${eContentType} is signed, not a TSTInfo`)
  if (!(eContent instanceof asn1js.OctetString)) throw new Error('the TSTInfo is missing')

  const tree = parseWhole(new Uint8Array(eContent.getValue()))
  const genTime = readGenTime(childOf(tree, 4))
  const info = new TSTInfo({ schema: tree })
  if (info.version !== 1) throw new Error(`unknown TSTInfo version ${info.version}`)
  const serialNumber = info.serialNumber.toBigInt()
  if (serialNumber < 0n) throw new Error('the serial number is negative')
  return {
    token: new Uint8Array(token),
    hashAlgorithm: info.messageImprint.hashAlgorithm.algorithmId,
    hashedMessage: new Uint8Array(info.messageImprint.hashedMessage.getValue()),
    genTime,
    serialNumber: evenHex(serialNumber),
    ...(info.nonce === undefined ? {} : { nonce: info.nonce.toBigInt() }),
    certificateCount: signedData.certificates?.length ?? 0
  }
}

/**
 * RFC 3161 2.4.2: seconds always, a fraction at will, `Z` always. Read from the characters themselves, because the
 * ASN.1 library makes a wrong time of one without `Z` and rolls a thirteenth month over.
 */
function readGenTime(node: asn1js.AsnType | undefined): number {
  if (!(node instanceof asn1js.GeneralizedTime)) throw new Error('genTime is no GeneralizedTime')
  const text = Buffer.from(node.valueBlock.valueHexView).toString('latin1')
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d+))?Z$/.exec(text)
  if (match === null) throw new Error('genTime is not of the form YYYYMMDDhhmmss[.s…]Z')
  const [, year, month, day, hour, minute, second, fraction = ''] = match
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`
  const date = new Date(iso)
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw new Error('genTime is no time of any calendar')
  return date.getTime()
}

function childOf(node: asn1js.AsnType | undefined, index: number): asn1js.AsnType | undefined {
  return node instanceof asn1js.Constructed ? node.valueBlock.value[index] : undefined
}

function evenHex(value: bigint): string {
  const hex = value.toString(16)
  return hex.length % 2 === 0 ? hex : `0${hex}`
}

function describeRefusal(status: PKIStatusInfo): string {
  const failures = status.failInfo === undefined ? [] : decodeFailures(status.failInfo)
  const words = (status.statusStrings ?? []).map((text) => text.getValue()).join(' ')
  // The words are the authority's: they may hold anything, and end in a log or on a terminal.
  const printable = words.replaceAll(/\p{C}/gu, '?').slice(0, STATUS_TEXT_CHARS_MAX)
  return [PKIStatus[status.status], failures.join(' '), printable].filter((part) => part !== '').join(': ')
}
