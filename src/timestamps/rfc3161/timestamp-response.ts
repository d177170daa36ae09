import { DerError, DerReader, readNamedBits, readSmall, readWhole, TAG } from './der.ts'
import { failureNames } from './failures.ts'
import { readToken } from './signed-data.ts'
import type { Token } from './signed-data.ts'

/** A TimeStampResp (RFC 3161 2.4.2). A token in it has been read, and nothing of it verified. */
export type ReadResponse =
  | { readonly ok: true; readonly granted: true; readonly token: Token }
  /** `detail` names the PKIStatus, the failures and the authority's own words, in printable characters. */
  | { readonly ok: true; readonly granted: false; readonly detail: string }
  | { readonly ok: false; readonly detail: string }

/** PKIStatus (RFC 3161 2.4.2), by its number. */
const STATUS = [
  'granted',
  'grantedWithMods',
  'rejection',
  'waiting',
  'revocationWarning',
  'revocationNotification'
] as const

// Of what an authority says about its refusal: enough for any sentence, short enough for a log line.
const STATUS_TEXT_CHARS_MAX = 200
const STATUS_TEXTS_MAX = 64

/**
 * Reads a TimeStampResp's bytes (RFC 3161 2.4.2). `granted` and `grantedWithMods` come with a token and every other
 * status without one. `ok: false` is for bytes that are no such response, in DER; a token that is no SignedData over a
 * TSTInfo of version 1 makes it none.
 */
export function readTimestampResponse(bytes: Uint8Array): ReadResponse {
  return reading('no RFC 3161 response', () => {
    const response = readWhole(bytes, TAG.sequence, 'TimeStampResp')
    const status = response.inside(TAG.sequence, 'PKIStatusInfo')
    const number = readSmall(status.value(TAG.integer, 'PKIStatus'), 0, STATUS.length - 1, 'PKIStatus')
    const token = response.done ? null : response.value(TAG.sequence, 'TimeStampToken')
    response.end('TimeStampResp')
    if (number > 1) return { ok: true, granted: false, detail: describeRefusal(STATUS[number] ?? '', status) }
    if (token === null) return { ok: false, detail: 'granted without a token' }
    return { ok: true, granted: true, token: readToken(token.bytes) }
  })
}

/**
 * Reads what stands as evidence (SPEC TE-2): a TimeStampToken, or a whole TimeStampResp. What comes first inside tells
 * them apart: an OBJECT IDENTIFIER in the one, a SEQUENCE in the other.
 */
export function readTokenOrResponse(bytes: Uint8Array): ReadResponse {
  return reading('no RFC 3161 token', () => {
    const isResponse = readWhole(bytes, TAG.sequence, 'TimeStampToken').tag === TAG.sequence
    return isResponse ? readTimestampResponse(bytes) : { ok: true, granted: true, token: readToken(bytes) }
  })
}

function reading(what: string, read: () => ReadResponse): ReadResponse {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) return { ok: false, detail: `${what}: ${error.message}` }
    throw error
  }
}

/** PKIStatusInfo after its status: statusString and failInfo, both optional. */
function describeRefusal(name: string, reader: DerReader): string {
  const texts = reader.optional(TAG.sequence, 'statusString')
  const failInfo = reader.optional(TAG.bitString, 'failInfo')
  reader.end('PKIStatusInfo')
  const words = texts === undefined ? [] : new DerReader(texts.content).all('statusString', STATUS_TEXTS_MAX)
  const said = words.map(({ content }) => new TextDecoder().decode(content)).join(' ')
  // The words are the authority's: they may hold anything, and end in a log or on a terminal.
  const printable = said.replaceAll(/\p{C}/gu, '?').slice(0, STATUS_TEXT_CHARS_MAX)
  const failures = failInfo === undefined ? [] : failureNames(readNamedBits(failInfo, 'failInfo'))
  return [name, failures.join(' '), printable].filter((part) => part !== '').join(': ')
}
