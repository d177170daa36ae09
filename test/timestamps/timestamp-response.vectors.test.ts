import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { readTimestampResponse } from '../../src/timestamps/rfc3161/timestamp-response.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'

interface VectorEntry {
  readonly file: string
  readonly form: 'TimeStampResp' | 'TimeStampToken'
  readonly status: 'Granted' | 'Rejected' | null
  /** As the openssl command prints it; null where it could not read the token. */
  readonly genTime: string | null
  readonly imprint: string | null
}

/** A token as a response that grants it. */
function grantedResponse(token: Uint8Array): Uint8Array {
  const length = token.length + 5
  const header = [0x30, 0x82, length >> 8, length & 0xff, 0x30, 0x03, 0x02, 0x01, 0x00]
  return Uint8Array.of(...header, ...token)
}

describeThirdParty('rfc3161', (folder) => {
  const listed = readJson(folder, 'manifest-dev.json') as readonly VectorEntry[]
  // A file is listed once for each set of roots that it is verified against; reading needs none.
  const entries = [...new Map(listed.map((entry) => [entry.file, entry])).values()]
  const read = (entry: VectorEntry): ReturnType<typeof readTimestampResponse> => {
    const bytes = new Uint8Array(readFileSync(join(folder, entry.file)))
    return readTimestampResponse(entry.form === 'TimeStampResp' ? bytes : grantedResponse(bytes))
  }

  const readable = entries.filter((entry) => entry.genTime !== null && !entry.file.includes('TSTInfoVersion2'))
  it.each(readable.map((entry) => [entry.file, entry] as const))('%s is read as openssl reads it', (_file, entry) => {
    const response = read(entry)
    if (!response.ok || !response.granted) throw new Error(response.detail)
    expect(Math.floor(response.token.info.genTime / 1000) * 1000).toBe(Date.parse(entry.genTime ?? ''))
    expect(toHex(response.token.info.hashedMessage)).toBe(entry.imprint)
  })

  const unreadable = entries.filter((entry) => entry.status !== 'Rejected' && !readable.includes(entry))
  it.each(unreadable.map((entry) => [entry.file, entry] as const))('%s is no response', (_file, entry) => {
    expect(read(entry)).toMatchObject({ ok: false })
  })

  const rejected = entries.filter((entry) => entry.status === 'Rejected')
  it.each(rejected.map((entry) => [entry.file, entry] as const))('%s is a refusal', (_file, entry) => {
    const response = read(entry)
    expect(response).toMatchObject({ ok: true, granted: false })
    expect(response).toHaveProperty('detail', expect.stringMatching(/^rejection/))
  })
})
