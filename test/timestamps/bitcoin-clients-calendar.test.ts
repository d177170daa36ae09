import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import type { OtsAttestation } from '../../protocols/bitcoin-evidence/v1/ots-attestation.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { AnchorStep } from '../../src/anchoring/anchorer.ts'
import { createCalendarAnchorer } from '../../src/timestamps/clients/open-timestamps-anchorer.ts'
import type { OpenTimestampsAnchorer } from '../../src/timestamps/clients/open-timestamps-anchorer.ts'
import { OpenTimestampsCalendars } from '../../src/timestamps/clients/open-timestamps-calendars.ts'
import { describeThirdParty } from '../protocols/third-party.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { startLocalServer } from '../support/local-server.ts'
import type { LocalServer } from '../support/local-server.ts'
import { send, startCalendar, timestampOf } from './support/calendar.ts'

const NEVER = new AbortController().signal
const ROOT = sha256Hex('root')
const DIGEST = new Uint8Array(sha256('root'))

const calendarsAt = (...urls: readonly string[]): OpenTimestampsCalendars =>
  new OpenTimestampsCalendars(urls, createHandClock())

const anchorerAt = (...urls: readonly string[]): OpenTimestampsAnchorer =>
  createCalendarAnchorer({ network: 'mainnet', calendars: urls, providers: [], clock: createHandClock() })

const prepareAt = (...urls: readonly string[]): Promise<AnchorStep> => anchorerAt(...urls).prepare(ROOT, NEVER)

/** A calendar that vouches for every digest in this way. */
const startVouching = (attestation: (url: string) => OtsAttestation): Promise<LocalServer> =>
  startLocalServer(({ headers }, body, response) => {
    send(response, timestampOf(body, [], attestation(`http://${headers.host}`)))
  })

describe('calendars are asked', () => {
  it('for the root itself, in the form of the reference client', async () => {
    const seen: unknown[] = []
    await using server = await startLocalServer(({ method, headers }, body, response) => {
      seen.push({ method, accept: headers.accept, body })
      send(response, timestampOf(body, [], { kind: 'pending', uri: `http://${headers.host}` }))
    })
    expect(await prepareAt(server.url)).toMatchObject({ state: 'under-way', retryAfterMs: 600_000 })
    expect(server.paths).toEqual(['/digest'])
    expect(seen).toEqual([{ method: 'POST', accept: 'application/vnd.opentimestamps.v1', body: DIGEST }])
  })

  it('below the path of their address, slashes or not', async () => {
    await using server = await startVouching((url) => ({ kind: 'pending', uri: `${url}/calendar/` }))
    const step = await prepareAt(`${server.url}/calendar//`)
    if (step.state !== 'under-way') throw new Error(step.state)
    await anchorerAt(`${server.url}/calendar`).advance(ROOT, step.draft, NEVER)
    expect(server.paths).toEqual(['/calendar/digest', `/calendar/timestamp/${ROOT}`])
  })

  it('once for each message, however often a proof repeats a promise', () => {
    const attestation = { kind: 'pending', uri: 'https://calendar.example' } as const
    const branches = Array.from({ length: 500 }, () => ({ attestation }))
    const promises = calendarsAt('https://calendar.example').openPromises({
      hash: 'sha256',
      timestamp: { message: DIGEST, branches }
    })
    expect(promises).toMatchObject([{ address: 'https://calendar.example', commitment: DIGEST }])
  })

  it('only when they are configured, whatever address stands in a proof', async () => {
    await using stranger = await startVouching((uri) => ({ kind: 'pending', uri }))
    const elsewhere = [stranger.url, `${stranger.url}/calendar`, 'file:///etc/passwd', 'x']
    for (const uri of elsewhere) {
      const proof = encodeOtsProof({ hash: 'sha256', timestamp: timestampOf(DIGEST, [], { kind: 'pending', uri }) })
      const upgraded = await calendarsAt('http://127.0.0.1:1').upgradeProof(proof, NEVER)
      expect(upgraded).toEqual({
        ok: true,
        proof,
        changed: false,
        blockHeights: [],
        notAsked: [uri],
        failures: []
      })
      const draft = { otsProof: toBase64url(proof) }
      expect(await anchorerAt('http://127.0.0.1:1').advance(ROOT, draft, NEVER)).toMatchObject({
        state: 'failed',
        code: 'CALENDARS_GONE'
      })
    }
    expect(stranger.paths).toEqual([])
  })
})

describe('a calendar is of no use', () => {
  it('that promises in the name of another one, which it names', async () => {
    await using pool = await startVouching(() => ({ kind: 'pending', uri: 'https://alice.example' }))
    expect(await prepareAt(pool.url)).toMatchObject({
      state: 'failed',
      code: 'PROVIDER_MALFORMED',
      detail: expect.stringContaining(
        'promised at https://alice.example, which is none of the configured calendars'
      ) as string
    })
  })

  it('that promises nothing', async () => {
    const unknown: OtsAttestation = { kind: 'unknown', tag: new Uint8Array(8).fill(7), payload: new Uint8Array(3) }
    await using server = await startVouching(() => unknown)
    expect(await prepareAt(server.url)).toMatchObject({ state: 'failed', code: 'PROVIDER_MALFORMED' })
  })

  it.each([
    ['a page for people', 200, '<html>Welcome</html>', 'PROVIDER_MALFORMED'],
    ['nothing', 200, '', 'PROVIDER_MALFORMED'],
    ['more than a timestamp has', 200, 'x'.repeat(10_001), 'PROVIDER_MALFORMED'],
    ['status 302', 302, '', 'PROVIDER_UNREACHABLE'],
    ['status 404', 404, '', 'PROVIDER_UNREACHABLE'],
    ['status 429', 429, '', 'PROVIDER_LIMITED'],
    ['status 500', 500, '', 'PROVIDER_UNREACHABLE']
  ])('that answers %s, and the others go on', async (_what, status, body, code) => {
    await using broken = await startLocalServer((_request, _body, response) => {
      response.writeHead(status, { location: '/' }).end(body)
    })
    expect(await prepareAt(broken.url)).toMatchObject({ state: 'failed', code, retryAfterMs: 60_000 })
    expect(broken.paths).toHaveLength(1)
    await using calendar = await startCalendar(null)
    expect(await prepareAt(broken.url, calendar.url)).toMatchObject({ state: 'under-way' })
  })

  it('that later answers what is no timestamp: the promise stays', async () => {
    let answer = ''
    await using server = await startLocalServer(({ url, headers }, body, response) => {
      if (url === '/digest') send(response, timestampOf(body, [], { kind: 'pending', uri: `http://${headers.host}` }))
      else response.end(answer)
    })
    const anchorer = anchorerAt(server.url)
    const step = await anchorer.prepare(ROOT, NEVER)
    if (step.state !== 'under-way') throw new Error(step.state)
    for (answer of ['', '<html>', 'x'.repeat(20_000), `\u0000${'x'.repeat(30)}`]) {
      const next = await anchorer.advance(ROOT, step.draft, NEVER)
      expect(next).toMatchObject({ state: 'under-way', draft: step.draft })
    }
    expect(anchorer.health).toMatchObject([{ failed: 4, failure: { code: 'PROVIDER_MALFORMED' } }])
  })

  it('where none is configured', async () => {
    expect(await prepareAt()).toMatchObject({ state: 'failed', detail: 'no calendar is configured' })
  })
})

describe('a draft', () => {
  it('is of this root, and a proof', async () => {
    await using calendar = await startCalendar(null)
    const anchorer = anchorerAt(calendar.url)
    const step = await anchorer.prepare(ROOT, NEVER)
    if (step.state !== 'under-way') throw new Error(step.state)
    expect(await anchorer.advance(ROOT, step.draft, NEVER)).toMatchObject({ state: 'under-way' })
    const otherHash = timestampOf(DIGEST, [], { kind: 'pending', uri: calendar.url })
    const keccak = encodeOtsProof({ hash: 'keccak256', timestamp: otherHash })
    for (const draft of [
      {},
      { otsProof: 7 },
      { otsProof: '!' },
      { otsProof: 'AAAA' },
      { otsProof: toBase64url(keccak) }
    ]) {
      expect(await anchorer.advance(ROOT, draft, NEVER)).toMatchObject({ state: 'failed', code: 'DRAFT_INVALID' })
    }
    expect(await anchorer.advance(sha256Hex('other'), step.draft, NEVER)).toMatchObject({ code: 'DRAFT_INVALID' })
  })

  it('rejects when it is aborted', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'))
    await expect(anchorerAt('http://127.0.0.1:1').prepare(ROOT, stopped)).rejects.toThrow('stopped')
  })
})

describeThirdParty('bitcoin/ots-client-examples', (folder) => {
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)))

  it.each([['incomplete.txt.ots'], ['two-calendars.txt.ots']])(
    '%s waits for calendars that are not ours',
    async (name) => {
      const upgraded = await calendarsAt('http://127.0.0.1:1').upgradeProof(read(name), NEVER)
      if (!upgraded.ok) throw new Error(upgraded.detail)
      expect(upgraded).toMatchObject({ proof: read(name), changed: false, blockHeights: [], failures: [] })
      expect(upgraded.notAsked).toContain('https://alice.btc.calendar.opentimestamps.org')
    }
  )

  it('hello-world.txt.ots leads to its block already', async () => {
    const upgraded = await calendarsAt().upgradeProof(read('hello-world.txt.ots'), NEVER)
    expect(upgraded).toMatchObject({ ok: true, changed: false, blockHeights: [358_391], notAsked: [] })
  })

  it.each([['bad-major-version.ots'], ['exceeds-max-msg-length.ots'], ['invalid-file-digest-type.ots']])(
    '%s is no proof',
    async (name) => {
      const upgraded = await calendarsAt().upgradeProof(read(join('invalid', name)), NEVER)
      expect(upgraded).toMatchObject({ ok: false, code: 'OTS_MALFORMED' })
    }
  )
})
