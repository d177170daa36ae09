import { expect, test } from 'vitest'
import { decodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackTransport } from '../../src/pack-sync/transport.ts'
import { getAnchors } from '../../src/pack-sync/anchors.ts'
import { planAnchorSync } from '../../src/pack-sync/plan.ts'
import { runAnchorSync } from '../../src/pack-sync/run.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { ORG, packChain, syncWorld } from './support.ts'

/** What the contract is run against. */
export interface TransportRig {
  /** A source that has these events, in their order, and takes more; it ends with the test. */
  readonly open: (wires: readonly Uint8Array[]) => Promise<PackTransport>
}

const never = new AbortController().signal

async function pageOf(
  transport: PackTransport,
  request: Partial<Parameters<PackTransport['pull']>[0]> = {}
): Promise<PackPage> {
  const answer = await transport.pull({ orgId: ORG, afterPackSeq: 0, limit: 64, ...request }, never)
  if (!answer.ok) throw new Error(answer.detail)
  const decoding = decodePackPage(answer.page)
  if (!decoding.ok) throw new Error(decoding.detail)
  return decoding.page
}

const texts = (wires: readonly Uint8Array[]): string[] => wires.map((wire) => Buffer.from(wire).toString('base64'))

/** What every way to a source of packs has to do, the other side included. */
export function transportContract({ open }: TransportRig): void {
  test('gives all packs of an organisation in their order, and how many there are', async () => {
    const { events, wires } = await packChain(5, { links: 2 })
    const page = await pageOf(await open(wires))
    expect(texts(page.packs)).toEqual(texts(events.map(({ wire }) => wire)))
    expect(page).toMatchObject({ headPackSeq: 5, nextPageToken: null })
  })

  test('gives those after a number alone, and none after the last', async () => {
    const { events, wires } = await packChain(5)
    const transport = await open(wires)
    const page = await pageOf(transport, { afterPackSeq: 3 })
    expect(texts(page.packs)).toEqual(texts(events.slice(3).map(({ wire }) => wire)))
    expect(await pageOf(transport, { afterPackSeq: 5 })).toMatchObject({
      packs: [],
      headPackSeq: 5,
      nextPageToken: null
    })
  })

  test('gives what stands between them on their chain where that is asked for', async () => {
    const { wires } = await packChain(3, { links: 3 })
    const transport = await open(wires)
    expect(texts((await pageOf(transport, { links: true })).packs)).toEqual(texts(wires))
    expect(texts((await pageOf(transport, { links: true, afterPackSeq: 2 })).packs)).toEqual(texts(wires.slice(8)))
  })

  test.each([1, 2, 3, 5])('gives the same in pages of %i events', async (limit) => {
    const { wires } = await packChain(4, { links: 1 })
    const transport = await open(wires)
    const given: Uint8Array[] = []
    let token: string | null | undefined
    while (token !== null) {
      const page = await pageOf(transport, { limit, links: true, ...(token === undefined ? {} : { pageToken: token }) })
      expect(page.packs.length).toBeLessThanOrEqual(limit)
      given.push(...page.packs)
      token = page.nextPageToken
    }
    expect(texts(given)).toEqual(texts(wires))
  })

  test('answers no other question by a token, and none by one that it never gave', async () => {
    const { wires } = await packChain(4)
    const transport = await open(wires)
    const { nextPageToken: pageToken } = await pageOf(transport, { limit: 2 })
    if (pageToken === null) throw new Error('there is more')
    const ask = { orgId: ORG, afterPackSeq: 0, limit: 2, pageToken }
    expect(texts((await pageOf(transport, ask)).packs)).toEqual(texts(wires.slice(2)))
    for (const wrong of [
      { ...ask, afterPackSeq: 1 },
      { ...ask, orgId: 'org-bea' },
      { ...ask, links: true as const },
      { ...ask, pageToken: 'AAAA' },
      { ...ask, pageToken: 'x'.repeat(1_024) }
    ])
      expect(await transport.pull(wrong, never)).toMatchObject({ ok: false, reason: 'refused', code: 'bad-token' })
  })

  test('says that it knows nothing of an organisation', async () => {
    const transport = await open((await packChain(1)).wires)
    const answer = await transport.pull({ orgId: 'org-nobody', afterPackSeq: 0, limit: 1 }, never)
    expect(answer).toMatchObject({ ok: false, reason: 'refused', code: 'unknown-organisation' })
  })

  test('takes what is pushed, and gives it from then on; a second time changes nothing', async () => {
    const { wires } = await packChain(3)
    const transport = await open(wires.slice(0, 1))
    for (const wire of wires.slice(1))
      expect(await transport.push(wire, never)).toMatchObject({ ok: true, outcome: { outcome: 'accepted', code: '' } })
    expect(await transport.push(wires[2] ?? new Uint8Array(), never)).toMatchObject({
      outcome: { outcome: 'duplicate' }
    })
    const page = await pageOf(transport)
    expect(texts(page.packs)).toEqual(texts(wires))
    expect(page.headPackSeq).toBe(3)
  })

  test('refuses bytes that are no event', async () => {
    const transport = await open((await packChain(1)).wires)
    const answer = await transport.push(Uint8Array.of(0, 0, 0, 9, 1), never)
    expect(answer).toMatchObject({ ok: true, outcome: { outcome: 'rejected', code: 'MALFORMED' } })
    const long = await transport.push(new Uint8Array(49_153), never)
    expect(long.ok ? long.outcome.outcome : long.reason).toMatch(/^re/)
    expect((await pageOf(transport)).headPackSeq).toBe(1)
  })

  test('gives as many as fit into a page of large ones, and goes on', async () => {
    const { packs, wires } = await largePacks(40)
    const transport = await open(wires)
    const first = await pageOf(transport)
    expect(first.packs.length).toBeGreaterThan(10)
    expect(first.packs.length).toBeLessThan(packs)
    const { options } = syncWorld({ [transport.name]: transport }, { clock: systemClock })
    const [result] = await runAnchorSync(await planAnchorSync(options), options)
    expect(result).toMatchObject({ outcome: 'done', to: packs, applied: packs })
    expect(result?.pages).toBeGreaterThan(1)
    expect(await getAnchors(options.store, { namespace: '_trust', orgId: ORG })).toMatchObject({ packSeq: packs })
  })

  test('ends when the signal aborts', async () => {
    const transport = await open((await packChain(1)).wires)
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(transport.pull({ orgId: ORG, afterPackSeq: 0, limit: 1 }, aborted)).rejects.toThrow('enough')
    await expect(transport.push(new Uint8Array(9), aborted)).rejects.toThrow('enough')
  })
}

/** Packs of some 30 KiB. */
async function largePacks(count: number): Promise<{ readonly packs: number; readonly wires: readonly Uint8Array[] }> {
  const { keys } = await import('./many-keys.ts')
  const { wires } = await packChain(count, { keys })
  return { packs: count, wires }
}
