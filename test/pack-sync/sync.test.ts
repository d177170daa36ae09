import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { encodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { getAnchors, getSyncState, setAnchors, setSyncState } from '../../src/pack-sync/anchors.ts'
import { memoryAnchorStore, storedAnchorStore } from '../../src/pack-sync/anchor-store.ts'
import { LIAR_REST_MS, planAnchorSync } from '../../src/pack-sync/plan.ts'
import type { SyncResult } from '../../src/pack-sync/result.ts'
import { runAnchorSync } from '../../src/pack-sync/run.ts'
import type { AnchorDoor, AnchorSyncOptions } from '../../src/pack-sync/sync-options.ts'
import type { PackTransport, PullAnswer } from '../../src/pack-sync/transport.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { next } from '../support/events.ts'
import { makePack, packEvent } from '../support/packs.ts'
import { newFolder } from '../support/cli.ts'
import {
  ADA,
  BEA,
  KEYS,
  ORG,
  honestSource,
  keyEntry,
  nextPack,
  organisation,
  packChain,
  syncWorld,
  withPins
} from './support.ts'

const NAME = { namespace: '_trust', orgId: ORG }
const SOURCE = 'https://source.example'
const clock = createHandClock()

async function sync(options: AnchorSyncOptions, from?: string): Promise<SyncResult> {
  const plan = await planAnchorSync(options, from === undefined ? {} : { from })
  const [result] = await runAnchorSync(plan, options)
  if (result === undefined) throw new Error(`nothing was asked: ${JSON.stringify(plan)}`)
  return result
}

const chain = await packChain(6)
const source = honestSource(chain.wires, clock)

describe('a sync', () => {
  test('brings all packs, page by page, and stores the anchors that they come to', async () => {
    const { options, store, audited } = syncWorld({ [SOURCE]: source }, { limit: 2 })
    expect(await sync(options)).toMatchObject({
      outcome: 'done',
      code: null,
      from: 0,
      to: 6,
      pages: 3,
      applied: 6,
      known: 0,
      warnings: [],
      disagreesAt: null
    })
    const anchors = await getAnchors(store, NAME)
    expect(anchors).toMatchObject({ packSeq: 6, hash: packHash(chain.packs[5] ?? {}), threshold: 1, forkedAt: null })
    expect(anchors?.anchors.map(({ kid, status, orgId }) => `${kid} ${status} ${orgId}`)).toEqual(
      [ADA.signer, ...KEYS].map(({ kid }) => `${kid} ACTIVE ${ORG}`).sort()
    )
    expect(await getSyncState(store, NAME)).toMatchObject({
      resume: null,
      lastPackSeq: 6,
      lastResult: { source: SOURCE, outcome: 'done', code: null },
      liars: {}
    })
    expect(audited.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      ...Array.from({ length: 3 }, () => 'FED_ANCHOR_SYNC_APPLY ok'),
      'FED_ANCHOR_SYNC_PULL ok'
    ])
  })

  test('a second time changes nothing', async () => {
    const { options, store } = syncWorld({ [SOURCE]: source })
    await sync(options)
    const before = await getAnchors(store, NAME)
    expect(await sync(options)).toMatchObject({ outcome: 'done', from: 6, to: 6, applied: 0, known: 1 })
    expect(await getAnchors(store, NAME)).toEqual(before)
  })

  test('goes on from what was known', async () => {
    const sources = { [SOURCE]: honestSource(chain.wires.slice(0, 3), clock) }
    const { options, store } = syncWorld(sources)
    await sync(options)
    sources[SOURCE] = source
    expect(await sync(options)).toMatchObject({ from: 3, to: 6, applied: 3, known: 1 })
    expect((await getAnchors(store, NAME))?.packSeq).toBe(6)
  })

  test('keeps anchors and state on a disk', async () => {
    const folder = newFolder()
    let disk = await openLevelStore(folder, { create: true })
    const { options } = syncWorld({ [SOURCE]: source }, { store: storedAnchorStore(disk), limit: 4 })
    await sync(options)
    const before = [await getAnchors(options.store, NAME), await getSyncState(options.store, NAME)]
    await disk.close()
    disk = await openLevelStore(folder, { create: false })
    const again = storedAnchorStore(disk)
    expect([await getAnchors(again, NAME), await getSyncState(again, NAME)]).toEqual(before)
    expect(await getAnchors(again, { ...NAME, orgId: 'org-ad' })).toBeNull()
    await disk.close()
  })

  test('verifies the first pack by its pinned hash, whoever signed it', async () => {
    const pinned = organisation({
      root: { orgId: ORG, threshold: 2, pins: new Map([[1, packHash(chain.packs[0] ?? {})]]), keys: [] }
    })
    const { options } = syncWorld({ [SOURCE]: source }, {}, { root: pinned.root })
    expect(await sync(options)).toMatchObject({ outcome: 'done', to: 6 })
  })

  test('takes what other code stored, and gives it back', async () => {
    const { options } = syncWorld({ [SOURCE]: source })
    await sync(options)
    const known = await getAnchors(options.store, NAME)
    if (known === null) throw new Error('nothing was stored')
    const other = memoryAnchorStore()
    await setAnchors(other, known)
    await setSyncState(other, await getSyncState(options.store, NAME))
    const { options: moved } = syncWorld({ [SOURCE]: source }, { store: other })
    expect(await sync(moved)).toMatchObject({ outcome: 'done', from: 6, applied: 0 })
  })
})

test('pages of any size, interruptions anywhere, and repeats come to the same anchors', async () => {
  const { options: straight } = syncWorld({ [SOURCE]: source })
  await sync(straight)
  const expected = await getAnchors(straight.store, NAME)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ limit: fc.integer({ min: 1, max: 7 }), pages: fc.integer({ min: 0, max: 4 }) }), {
        maxLength: 6
      }),
      async (runs) => {
        const store = memoryAnchorStore()
        for (const { limit, pages } of [...runs, { limit: 3, pages: Infinity }]) {
          let given = 0
          const interrupted: PackTransport = {
            ...source,
            pull: async (request, signal): Promise<PullAnswer> => {
              given += 1
              if (given > pages) return { ok: false, reason: 'unreachable', detail: 'cut off' }
              return await source.pull(request, signal)
            }
          }
          const { options } = syncWorld({ [SOURCE]: interrupted }, { store, limit })
          const result = await sync(options)
          expect(['done', 'unreachable']).toContain(result.outcome)
        }
        expect(await getAnchors(store, NAME)).toEqual(expected)
        expect((await getSyncState(store, NAME)).resume).toBeNull()
      }
    ),
    { numRuns: 60 }
  )
})

test('with a door, what stands between packs comes before them, however the pages are cut', async () => {
  const long = await packChain(4, { links: 3 })
  const whole = honestSource(long.wires, clock)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ limit: fc.integer({ min: 1, max: 5 }), pages: fc.integer({ min: 0, max: 5 }) }), {
        maxLength: 5
      }),
      fc.nat(long.wires.length),
      async (runs, held) => {
        const store = memoryAnchorStore()
        const ids = new Set<string>()
        const door: AnchorDoor = {
          submit: (wire) => {
            const decoding = decodeEvent(wire)
            if (!decoding.ok) throw new Error(decoding.detail)
            const { id, envelope } = decoding.event
            if (envelope.prev !== null && !ids.has(envelope.prev))
              return Promise.resolve({ outcome: 'pending', code: 'PREDECESSOR_MISSING', detail: '', id })
            const outcome = ids.has(id) ? 'duplicate' : 'accepted'
            ids.add(id)
            return Promise.resolve({ outcome, id, logSeq: ids.size })
          },
          settled: () => Promise.resolve()
        }
        const early = honestSource(long.wires.slice(0, held), clock)
        for (const { limit, pages, from } of [
          ...runs.map((run) => ({ ...run, from: early })),
          ...runs.map((run) => ({ ...run, from: whole })),
          { limit: 2, pages: Infinity, from: whole }
        ]) {
          let given = 0
          const interrupted: PackTransport = {
            ...from,
            pull: async (request, signal): Promise<PullAnswer> => {
              given += 1
              if (given > pages) return { ok: false, reason: 'unreachable', detail: 'cut off' }
              return await from.pull(request, signal)
            }
          }
          const { waiting, outcome } = await sync(syncWorld({ [SOURCE]: interrupted }, { store, limit, door }).options)
          expect(waiting).toBe(0)
          expect(['done', 'unreachable', 'refused']).toContain(outcome)
        }
        expect(ids.size).toBe(long.wires.length)
        expect((await getAnchors(store, NAME))?.packSeq).toBe(4)
      }
    ),
    { numRuns: 60 }
  )
})

test('a signal ends a sync between pages, and the next one goes on from the token', async () => {
  const controller = new AbortController()
  const asked: (string | undefined)[] = []
  const watched: PackTransport = {
    ...source,
    pull: async (request, signal) => {
      asked.push(request.pageToken)
      return await source.pull(request, signal)
    }
  }
  const { options, store } = syncWorld({ [SOURCE]: watched }, { limit: 2 })
  const plan = await planAnchorSync(options)
  const running = runAnchorSync(plan, options, {
    signal: controller.signal,
    onProgress: ({ packs }) => {
      if (packs === 4) controller.abort(new Error('enough'))
    }
  })
  await expect(running).rejects.toThrow('enough')
  const { resume } = await getSyncState(store, NAME)
  expect(resume).toMatchObject({ source: SOURCE, afterPackSeq: 0 })
  expect((await planAnchorSync(options)).entries).toMatchObject([{ afterPackSeq: 4, resumes: true }])
  asked.length = 0
  expect(await sync(options)).toMatchObject({ outcome: 'done', resumed: true, from: 4, to: 6, applied: 2 })
  expect(asked).toEqual([resume?.pageToken])
})

test('a token that its source has forgotten is given up, and nothing is lost', async () => {
  const { options, store } = syncWorld({ [SOURCE]: source })
  const resume = { source: SOURCE, afterPackSeq: 3, pageToken: 'bm90IG9uZQ' }
  await setSyncState(store, { ...(await getSyncState(store, NAME)), resume })
  expect(await sync(options)).toMatchObject({ outcome: 'done', to: 6, applied: 6 })
})

describe('a source that lies', () => {
  const [one, two, three] = chain.packs
  const [first, second] = chain.events
  if (one === undefined || two === undefined || three === undefined || first === undefined || second === undefined)
    throw new Error('there are six')
  const page = (
    packs: readonly Uint8Array[],
    changes: { nextPageToken?: string | null; headPackSeq?: number; servedAt?: number } = {}
  ): PullAnswer => ({
    ok: true,
    page: encodePackPage({ packs, nextPageToken: null, headPackSeq: 3, servedAt: clock.now(), ...changes })
  })
  const given = (answers: (turn: number) => PullAnswer): PackTransport => {
    let turn = 0
    return {
      ...source,
      pull: () => {
        turn += 1
        return Promise.resolve(answers(turn))
      }
    }
  }
  const all = [ADA.signer, ...KEYS]
  const event = (pack: Parameters<typeof packEvent>[2], signers = [ADA.signer]): ReturnType<typeof packEvent> =>
    packEvent(ADA.signer, signers, pack, second)
  const after = (changes: Parameters<typeof nextPack>[3]): ReturnType<typeof nextPack> => nextPack(two, 3, all, changes)
  const foreign = { ...BEA.signer, did: ADA.signer.did }

  const lies: [string, string, () => Promise<PullAnswer> | PullAnswer][] = [
    ['a number is missing', 'PACK_GAP', () => page([chain.wires[3] ?? new Uint8Array()], { headPackSeq: 4 })],
    ['it has more than it gives', 'PACK_GAP', () => page([second.wire], { headPackSeq: 9 })],
    ['it does not give what both have', 'PACK_GAP', () => page([], { headPackSeq: 2 })],
    [
      'another predecessor',
      'PACK_PREV_MISMATCH',
      async () => page([(await event(after({ prevPack: 'a'.repeat(64) }))).wire])
    ],
    ['a wrong root', 'PACK_ROOT_MISMATCH', async () => page([(await event(after({ root: 'a'.repeat(64) }))).wire])],
    [
      'a key that is left out',
      'PACK_STATUS_BACKWARD',
      async () => page([(await event(nextPack(two, 3, all.slice(0, 2)))).wire])
    ],
    [
      'too few signers',
      'PACK_THRESHOLD',
      async () =>
        page([
          (
            await event(
              makePack({
                orgId: ORG,
                before: two,
                keys: all.map((key) => keyEntry(key)),
                signers: [ADA.signer],
                changes: { threshold: 2 }
              })
            )
          ).wire
        ])
    ],
    [
      'a key of another organisation among the signers',
      'PACK_SIGNER_FOREIGN',
      async () => {
        const pack = makePack({
          orgId: ORG,
          before: two,
          keys: all.map((key) => keyEntry(key)),
          signers: [ADA.signer, foreign]
        })
        return page([(await event(pack, [ADA.signer, foreign])).wire])
      }
    ],
    [
      'packs of another organisation',
      'PACK_SIGNER_FOREIGN',
      async () =>
        page([
          (
            await packEvent(
              BEA.signer,
              [BEA.signer],
              makePack({ orgId: BEA.orgId, keys: [keyEntry(BEA.signer)], signers: [BEA.signer] })
            )
          ).wire
        ])
    ],
    [
      'packs that somebody else carries',
      'PACK_SIGNER_FOREIGN',
      async () => {
        const pack = makePack({
          orgId: ORG,
          before: two,
          keys: [...all, BEA.signer].map((key) => keyEntry(key)),
          signers: [ADA.signer, BEA.signer]
        })
        return page([(await packEvent(BEA.signer, [ADA.signer, BEA.signer], pack)).wire])
      }
    ],
    [
      'a signature that is not good',
      'SIGNATURE_INVALID',
      async () => {
        const { wire } = await event(three)
        const text = Buffer.from(wire).toString('latin1')
        const at = text.lastIndexOf('"signature":"') + 13
        const bytes = Uint8Array.from(wire)
        bytes[at] = text.charAt(at) === 'A' ? 0x42 : 0x41
        return page([bytes])
      }
    ],
    [
      'a key of small order',
      'KEY_WEAK',
      async () => {
        const weak = keyEntry({ kid: 'weak', publicKey: Uint8Array.of(1, ...new Uint8Array(31)) })
        const pack = makePack({
          orgId: ORG,
          before: two,
          keys: [...all.map((key) => keyEntry(key)), weak],
          signers: [ADA.signer]
        })
        return page([(await event(pack)).wire])
      }
    ],
    ['a pack of the wrong form', 'BODY_INVALID', async () => page([(await event({ ...three, keys: [] })).wire])],
    ['bytes that are no page', 'PACK_PAGE_INVALID', () => ({ ok: true, page: Uint8Array.of(1, 2, 3) })],
    ['an event that is none', 'PACK_PAGE_INVALID', () => page([Uint8Array.of(1, 2, 3)])],
    ['an event of another namespace', 'PACK_PAGE_INVALID', async () => page([(await next(ADA, null, {})).wire])],
    [
      'an event that is no pack',
      'PACK_PAGE_INVALID',
      async () => page([(await next(ADA, null, {}, { type: 'note', namespace: '_trust' })).wire])
    ],
    ['what was not asked for', 'PACK_PAGE_INVALID', () => page([first.wire])],
    ['packs out of order', 'PACK_PAGE_INVALID', () => page([chain.wires[2] ?? new Uint8Array(), second.wire])],
    ['one pack twice', 'PACK_PAGE_INVALID', () => page([second.wire, second.wire])],
    ['more events than asked for', 'PACK_PAGE_INVALID', () => page(chain.wires.slice(1, 6), { headPackSeq: 6 })],
    ['a number above what it says it has', 'PACK_PAGE_INVALID', () => page([second.wire], { headPackSeq: 1 })]
  ]

  test.each(lies)(
    '%s: %s, it is left alone for a while, and what was known stays in force',
    async (_name, code, answer) => {
      const sources: Record<string, PackTransport> = { [SOURCE]: honestSource(chain.wires.slice(0, 2), clock) }
      const hand = createHandClock()
      const { options, store, audited } = syncWorld(sources, { clock: hand, limit: 4 })
      await sync(options)
      const before = await getAnchors(store, NAME)
      audited.length = 0
      const lying = await answer()
      let costs = 0
      sources[SOURCE] = { ...given(() => lying), penalise: () => (costs += 1) }
      expect(await sync(options)).toMatchObject({ outcome: 'refused', code, to: 2, applied: 0 })
      expect(await getAnchors(store, NAME)).toEqual(before)
      expect(costs).toBe(1)
      expect(audited).toMatchObject([
        { action: 'FED_ANCHOR_SYNC_REJECT', outcome: 'refused', code, subject: ORG },
        { action: 'FED_ANCHOR_SYNC_PULL', outcome: 'refused', code }
      ])
      expect((await planAnchorSync(options)).entries).toMatchObject([{ reason: 'SOURCE_REFUSED' }])
      expect((await planAnchorSync(options, { from: SOURCE })).entries).toMatchObject([{ reason: null }])
      await hand.advance(LIAR_REST_MS)
      expect((await planAnchorSync(options)).entries).toMatchObject([{ reason: null }])
      sources[SOURCE] = source
      expect(await sync(options)).toMatchObject({ outcome: 'done', to: 6 })
      expect((await getSyncState(store, NAME)).liars).toEqual({})
    }
  )

  test('a revoked key signs no more', async () => {
    const [lost = ADA.signer] = KEYS
    const keys = all.map((key) => keyEntry(key, key === lost ? { status: 'REVOKED', revokedAt: 1 } : {}))
    const revoking = makePack({ orgId: ORG, before: two, keys, signers: [ADA.signer] })
    const carrier = await event(revoking)
    const signers = [ADA.signer, lost]
    const last = await packEvent(
      ADA.signer,
      signers,
      makePack({ orgId: ORG, before: revoking, keys, signers }),
      carrier
    )
    const lying = page([first.wire, second.wire, carrier.wire, last.wire], { headPackSeq: 4 })
    const { options } = syncWorld({ [SOURCE]: given(() => lying) })
    expect(await sync(options)).toMatchObject({ outcome: 'refused', code: 'PACK_SIGNER_REVOKED' })
  })

  test('a token a second time ends it', async () => {
    const pages = [first, second].map(({ wire }) => page([wire], { nextPageToken: 'AAAA' }))
    const { options, store } = syncWorld({ [SOURCE]: given((turn) => pages[turn - 1] ?? page([])) })
    expect(await sync(options)).toMatchObject({ outcome: 'refused', code: 'PACK_TOKEN_LOOP', to: 1 })
    expect((await getSyncState(store, NAME)).resume).toBeNull()
  })

  test('pages without end are left', async () => {
    const note = await next(ADA, null, {}, { type: 'note', namespace: '_trust' })
    const endless = given((turn) => page([note.wire], { nextPageToken: `t${turn}` }))
    const { options } = syncWorld(
      { [SOURCE]: endless },
      {
        door: {
          submit: () => Promise.resolve({ outcome: 'duplicate', id: note.id, logSeq: 1 }),
          settled: () => Promise.resolve()
        }
      }
    )
    expect(await sync(options)).toMatchObject({ outcome: 'refused', code: 'PACK_PAGES_ENDLESS', pages: 4_096 })
  })
})

describe('two sources', () => {
  const OTHER = 'file:/other'
  test('that agree confirm each other', async () => {
    const { options } = syncWorld({ [SOURCE]: source, [OTHER]: honestSource(chain.wires, clock, OTHER) })
    const results = await runAnchorSync(await planAnchorSync(options), options)
    expect(results).toMatchObject([
      { outcome: 'done', applied: 6 },
      { outcome: 'done', source: OTHER, applied: 0, known: 1, disagreesAt: null }
    ])
  })

  test('with two valid packs at one number freeze the organisation before it, until one is pinned', async () => {
    const before = chain.packs[4] ?? null
    const rival = nextPack(before, 99)
    const event = await packEvent(ADA.signer, [ADA.signer], rival, chain.events[4] ?? null)
    const forked = honestSource([...chain.wires.slice(0, 5), event.wire], clock, OTHER)
    const { options, store, audited } = syncWorld({ [SOURCE]: source, [OTHER]: forked })
    const results = await runAnchorSync(await planAnchorSync(options), options)
    expect(results).toMatchObject([
      { outcome: 'done', to: 6 },
      { outcome: 'frozen', code: 'PACK_FORK', to: 5, disagreesAt: 6 }
    ])
    expect(await getAnchors(store, NAME)).toMatchObject({ packSeq: 5, forkedAt: 6 })
    expect(audited.at(-2)).toMatchObject({ action: 'FED_ANCHOR_SYNC_REJECT', code: 'PACK_FORK' })
    expect((await planAnchorSync(options)).entries).toMatchObject([{ reason: 'FROZEN' }, { reason: 'FROZEN' }])
    const pinned = withPins(options, [6, packHash(rival)])
    const settled = await runAnchorSync(await planAnchorSync(pinned), pinned)
    expect(settled).toMatchObject([
      { outcome: 'done', to: 5 },
      { outcome: 'done', to: 6, applied: 1 }
    ])
    expect(await getAnchors(store, NAME)).toMatchObject({ packSeq: 6, hash: packHash(rival), forkedAt: null })
  })

  test('of which one holds another past is seen, and what was known stays', async () => {
    const other = await packChain(7, { keys: [ADA.signer, ...KEYS.slice(0, 2)] })
    const { options, store } = syncWorld({ [SOURCE]: source, [OTHER]: honestSource(other.wires, clock, OTHER) })
    const results = await runAnchorSync(await planAnchorSync(options), options)
    expect(results).toMatchObject([
      { outcome: 'done' },
      { outcome: 'refused', code: 'PACK_PREV_MISMATCH', disagreesAt: 6 }
    ])
    expect(await getAnchors(store, NAME)).toMatchObject({ packSeq: 6, hash: packHash(chain.packs[5] ?? {}) })
  })

  test('of which one is behind is told', async () => {
    const { options } = syncWorld({ [SOURCE]: source, [OTHER]: honestSource(chain.wires.slice(0, 3), clock, OTHER) })
    const results = await runAnchorSync(await planAnchorSync(options), options)
    expect(results[1]).toMatchObject({ outcome: 'done', warnings: [{ code: 'SOURCE_BEHIND' }], disagreesAt: null })
  })
})

test('clocks that are off are a warning, because the signatures are good', async () => {
  const early = createHandClock(1_600_000_000_000)
  const { options } = syncWorld({ [SOURCE]: source }, { clock: early })
  const { outcome, warnings } = await sync(options)
  expect([outcome, warnings.map(({ code }) => code)]).toEqual(['done', ['SERVED_AT_SKEW', 'PACK_TS_SKEW']])
})

test('a source that does not answer is tried again, and one that refuses says why', async () => {
  const failing = (answer: PullAnswer): PackTransport => ({ ...source, pull: () => Promise.resolve(answer) })
  const ends = await Promise.all(
    [
      { ok: false, reason: 'unreachable', detail: 'no route' } as const,
      { ok: false, reason: 'broken', detail: 'no source of packs' } as const,
      { ok: false, reason: 'refused', code: 'unknown-organisation', detail: '' } as const,
      { ok: false, reason: 'refused', code: 'busy', detail: '' } as const
    ].map(async (answer) => {
      const { options, store } = syncWorld({ [SOURCE]: failing(answer) })
      const { outcome, code } = await sync(options)
      expect((await getSyncState(store, NAME)).liars).toEqual({})
      return `${outcome} ${code}`
    })
  )
  expect(ends).toEqual([
    'unreachable SOURCE_UNREACHABLE',
    'refused SOURCE_BROKEN',
    'refused UNKNOWN_ORGANISATION',
    'unreachable BUSY'
  ])
})

test('what a plan leaves out it names the reason for', async () => {
  const reasonOf = async (options: AnchorSyncOptions): Promise<unknown> =>
    (await planAnchorSync(options)).entries.map(({ reason }) => reason)
  expect(await reasonOf(syncWorld({ [SOURCE]: source }).options)).toEqual([null])
  expect(await reasonOf(syncWorld({ [SOURCE]: source }, { policy: { crossOrg: [] } }).options)).toEqual([
    'CROSS_ORG_DENIED'
  ])
  expect(await reasonOf(syncWorld({}).options)).toEqual(['NO_SOURCE'])
  expect(await reasonOf(syncWorld({}, {}, { sources: ['did:web:nobody.example'] }).options)).toEqual(['SOURCE_UNKNOWN'])
  const { options } = syncWorld({ [SOURCE]: source })
  expect(await runAnchorSync({ entries: [] }, options)).toEqual([])
})
