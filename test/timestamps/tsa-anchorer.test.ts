import * as asn1js from 'asn1js'
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import type { Anchorer, AnchorStep } from '../../src/anchoring/anchorer.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { createDevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import type { DevelopmentAuthority } from '../../src/timestamps/clients/development-authority.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { createTsaAnchorer } from '../../src/timestamps/clients/tsa-anchorer.ts'
import { BATCH, announces, openAnchoring } from '../anchoring/support.ts'
import { queryDer, ROOT } from './support/query.ts'
import { sendReply, startWrongAuthority } from './support/wrong-authority.ts'

const ROOT_HEX = toHex(ROOT)
const never = new AbortController().signal
let authority: DevelopmentAuthority

beforeAll(async () => {
  authority = await createDevelopmentAuthority({ clock: systemClock, random: systemRandom })
})

const anchorerAt = (url: string): Anchorer =>
  createTsaAnchorer({ tsa: 'test', url, clock: systemClock, random: systemRandom })

/** What comes of an authority that answers with other bytes than were asked for. */
async function stepOf(forge: (query: Uint8Array) => Promise<Uint8Array>): Promise<AnchorStep> {
  await using server = await startWrongAuthority(async (query, response) => sendReply(response, await forge(query)))
  return await anchorerAt(server.url).prepare(ROOT_HEX, never)
}

describe('evidence by an RFC 3161 authority', () => {
  it('is made over HTTP, verified and announced by a node, from sealing to the event', async () => {
    const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
    const { node, world } = await openAnchoring({ anchorers: [anchorerAt(tsa.url)] })
    await node.seal({ ...BATCH, receipts: ['one'] })
    const result = await node.anchor({ ...BATCH, rail: 'tsa' })
    expect(result).toMatchObject({ state: 'announced', chainId: 'rfc3161:test' })
    expect(world.verified).toEqual([result.evidenceId])
    const [announce] = await announces(node)
    expect(announce?.['timestampAnchors']).toEqual([
      { chainId: 'rfc3161:test', token: expect.stringMatching(/^[A-Za-z0-9_-]{500,}$/) as string }
    ])
    await tsa.close()
    await node.close()
  })

  it('waits while the authority is down, and is made when it is back', async () => {
    const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
    await tsa.close()
    const { node } = await openAnchoring({ anchorers: [anchorerAt(tsa.url)] })
    await node.seal({ ...BATCH, receipts: ['one'] })
    const down = await node.anchor({ ...BATCH, rail: 'tsa' })
    expect(down).toMatchObject({ state: 'under-way', code: 'TSA_REQUEST_FAILED' })
    expect(await announces(node)).toEqual([])
    const port = Number(new URL(tsa.url).port)
    const back = await startDevelopmentTsa({
      clock: systemClock,
      random: systemRandom,
      listen: { host: '127.0.0.1', port }
    })
    expect(await node.upgradeAnchors({})).toMatchObject([{ state: 'announced' }])
    await back.close()
    await node.close()
  })

  it('is none when the token answers another query: another nonce, another imprint', async () => {
    const nonce = asn1js.Integer.fromBigInt(12345n)
    expect(await stepOf(async () => (await authority.answer(queryDer({ nonce }))).reply)).toEqual({
      state: 'failed',
      code: 'TSA_NONCE',
      detail: 'TSA test answered with another nonce',
      retryAfterMs: 0
    })
    // The authority stamps a root of its own choice under the nonce that it was asked with.
    const imprint = await stepOf(async (query) => {
      const bytes = Buffer.from(query)
      const at = bytes.indexOf(Buffer.from(ROOT))
      bytes.fill(9, at, at + ROOT.length)
      return (await authority.answer(new Uint8Array(bytes))).reply
    })
    expect(imprint).toMatchObject({ state: 'failed', code: 'TSA_IMPRINT' })
  })

  it('is none when a web page answers, or a server error', async () => {
    await using page = await startWrongAuthority((_query, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<html>welcome</html>')
    })
    expect(await anchorerAt(page.url).prepare(ROOT_HEX, never)).toMatchObject({
      state: 'failed',
      code: 'PROVIDER_MALFORMED'
    })
    await using broken = await startWrongAuthority((_query, response) => {
      response.writeHead(503)
      response.end()
    })
    expect(await anchorerAt(broken.url).prepare(ROOT_HEX, never)).toMatchObject({ code: 'TSA_REQUEST_FAILED' })
    expect(await stepOf(async () => new Uint8Array([1, 2, 3]))).toMatchObject({ code: 'PROVIDER_MALFORMED' })
  })

  it('asks nobody when it was called off', async () => {
    await expect(anchorerAt('http://127.0.0.1:9/').prepare(ROOT_HEX, AbortSignal.abort())).rejects.toThrow()
  })
})
