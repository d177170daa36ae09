import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { completeSubtrees, consistencyRanges, hashOfSubtrees, recordLeaf } from '../../protocols/checkpoint/v1/tree.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { CheckpointRow } from '../../src/projections/checkpointed.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { TestMember } from '../support/identities.ts'
import { policyOf } from '../support/identities.ts'
import { openLedger, allRows } from './support/ledger.ts'
import { admissible, someArrival } from './support/order.ts'
import type { Arrival } from './support/order.ts'
import { ADAM, ALICE, EVERYBODY } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY)
/** Another key of the same signer, and a third. */
const [ALICE_2, ALICE_3] = ['second', 'third'].map((kid) => ({
  orgId: ALICE.orgId,
  signer: localSigner(sha256(`${kid} key of alice`), { did: ALICE.signer.did, kid })
})) as [TestMember, TestMember]
const EPOCHS = ['00000000000000e1', '00000000000000e2'] as const
const LOG = { type: 'checkpoint', namespace: '_trust' }

/** A log of `version`: all of them are the same in their first five records. */
const leaves = (size: number, version: number): Uint8Array[] =>
  Array.from({ length: size }, (_, index) => recordLeaf(sha256(index < 5 ? `${index}` : `${version} ${index}`)))
const rootOf = (size: number, version = 0): string => toHex(merkleRoot(leaves(size, version)))
const proofOf = (from: number, to: number, version = 0): string[] =>
  from === 0 || from > to
    ? []
    : consistencyRanges(from, to).map((range) => {
        const all = leaves(to, version)
        const parts = completeSubtrees(range).map(({ begin, end }) => merkleRoot(all.slice(begin, end)))
        return toHex(hashOfSubtrees(parts))
      })

/** A checkpoint as an honest node makes it, of whichever log. */
function bodyOf(
  before: SignedEvent | null,
  { size, version = 0, epoch = EPOCHS[0] }: { size: number; version?: number; epoch?: string },
  restored: JsonObject | null = null
): JsonObject {
  const { size: last = 0, root = '' } = (before?.envelope.body ?? {}) as { size?: number; root?: string }
  const previous = { event: before?.id ?? '', size: last, root, consistency: proofOf(last, size, version) }
  return {
    epoch,
    size,
    root: rootOf(size, version),
    ...(before === null ? {} : { previous }),
    ...(restored === null ? {} : { restored })
  }
}

async function rowsAfter(events: readonly SignedEvent[], arrival?: Arrival): Promise<CheckpointRow[]> {
  const ledger = await openLedger({ policy })
  for (const group of arrival === undefined ? [[...events]] : admissible(events, arrival)) await ledger.append(...group)
  await ledger.caughtUp()
  const rows = (await allRows(ledger, 'checkpoints')) as unknown as CheckpointRow[]
  const rebuilt = (await ledger.engine.rebuild()).find(({ projection }) => projection === 'checkpoints')
  expect(rebuilt?.identical).toBe(true)
  await ledger.close()
  return rows
}

/** As `bodyOf`, under another key than the one before. */
function bodyAcross(before: SignedEvent, ...said: [Parameters<typeof bodyOf>[1], (JsonObject | null)?]): JsonObject {
  const body = bodyOf(before, ...said)
  return { ...body, previous: { ...(body['previous'] as JsonObject), kid: before.envelope.kid } }
}

describe('a log that goes on under another key', () => {
  const chain = async (): Promise<[SignedEvent, SignedEvent]> => {
    const first = await next(ALICE, null, bodyOf(null, { size: 4 }), LOG)
    return [first, await next(ALICE, first, bodyOf(first, { size: 8 }), LOG)]
  }
  /** Whatever came first: the alarms by kid. */
  async function alarmsOf(events: readonly SignedEvent[]): Promise<Record<string, unknown>> {
    const inOrder = (one: readonly CheckpointRow[]): Record<string, unknown> =>
      Object.fromEntries(
        one.map(({ kid, alarm, unlinked }) => [kid, unlinked > 0 ? 'unlinked' : (alarm?.code ?? null)])
      )
    const found = inOrder(await rowsAfter(events))
    const reversed = admissible(events, {
      priorities: events.map((_event, index) => events.length - index),
      groups: [1]
    })
    expect(inOrder(await rowsAfter(reversed.flat()))).toEqual(found)
    return found
  }
  const { kid } = ALICE.signer

  test('names the last one of the key before: no alarm, and back again', async () => {
    const [first, second] = await chain()
    const third = await next(ALICE_2, null, bodyAcross(second, { size: 12 }), LOG)
    const fourth = await next(ALICE_2, third, bodyOf(third, { size: 13 }), LOG)
    const fifth = await next(ALICE, second, bodyAcross(fourth, { size: 20 }), LOG)
    const sixth = await next(ALICE_3, null, bodyAcross(fifth, { size: 20 }), LOG)
    expect(await alarmsOf([first, second, third, fourth, fifth, sixth])).toEqual({
      [kid]: null,
      second: null,
      third: null
    })
  })

  test.each([
    ['LOG_REWRITTEN', { size: 12, version: 1 }],
    ['LOG_ROLLED_BACK', { size: 7 }],
    ['EPOCH_UNEXPLAINED', { size: 12, epoch: EPOCHS[1] }]
  ])('%s: %o after eight records', async (code, log) => {
    const [first, second] = await chain()
    const third = await next(ALICE_2, null, bodyAcross(second, log), LOG)
    expect(await alarmsOf([first, second, third])).toEqual({ [kid]: null, second: code })
  })

  test('says nothing of the key before', async () => {
    const [first, second] = await chain()
    for (const epoch of EPOCHS) {
      const third = await next(ALICE_2, null, bodyOf(null, { size: 12, version: 1, epoch }), LOG)
      expect(await alarmsOf([first, second, third])).toEqual({ [kid]: 'LOG_FORKED', second: 'LOG_FORKED' })
    }
  })

  test('names an older one, so that what came after it could be changed', async () => {
    const [first, second] = await chain()
    const third = await next(ALICE_2, null, bodyAcross(first, { size: 12, version: 1 }), LOG)
    expect(await alarmsOf([first, third])).toEqual({ [kid]: null, second: null })
    expect(await alarmsOf([first, second, third])).toEqual({ [kid]: 'LOG_FORKED', second: 'LOG_FORKED' })
  })

  test('names one that nobody holds, or that of another signer', async () => {
    const [first, second] = await chain()
    const other = await next(ADAM, null, bodyOf(null, { size: 8 }), LOG)
    for (const named of [{ ...second, id: sha256Hex('none') }, other]) {
      const third = await next(ALICE_2, null, bodyAcross(named, { size: 12 }), LOG)
      const fourth = await next(ALICE_2, third, bodyOf(third, { size: 13 }), LOG)
      expect(await alarmsOf([first, second, other, third, fourth])).toMatchObject({ [kid]: null, second: 'unlinked' })
    }
  })

  test('was restored: it goes on from what was signed under the key before, and nothing before that may differ', async () => {
    const [first, second] = await chain()
    const third = await next(ALICE_2, null, bodyAcross(second, { size: 12 }), LOG)
    const restoredFrom = async (event: SignedEvent | null, size: number): Promise<Record<string, unknown>> => {
      const restored = { epoch: EPOCHS[0], size, root: rootOf(size), consistency: proofOf(size, 14, 9) }
      const named = event === null ? restored : { ...restored, event: event.id }
      const fourth = await next(ALICE_2, third, bodyOf(third, { size: 14, version: 9, epoch: EPOCHS[1] }, named), LOG)
      return await alarmsOf([first, second, third, fourth])
    }
    expect(await restoredFrom(first, 4)).toEqual({ [kid]: null, second: null })
    expect(await restoredFrom(null, 3)).toEqual({ [kid]: null, second: null })
    // All that was lost is owned up to: there is a checkpoint of four.
    expect(await restoredFrom(null, 5)).toEqual({ [kid]: null, second: 'EPOCH_UNEXPLAINED' })
  })

  test('a hundred that wait for one are judged when it comes, and none of them twice', async () => {
    const [first, second] = await chain()
    const waiting: SignedEvent[] = []
    for (let index = 0; index < 100; index += 1) {
      const body = bodyAcross(second, { size: 8 + index, version: index % 2 })
      waiting.push(await next(ALICE_2, null, body, { ...LOG, ts: 1_700_000_000_000 + index }))
    }
    const rows = await rowsAfter([...waiting, first, second])
    expect(rows).toEqual(await rowsAfter([first, second, ...waiting]))
    expect(rows.find((row) => row.kid === 'second')).toMatchObject({ checkpoints: 100, unlinked: 0 })
  })
})

describe('the newest checkpoint of each log', () => {
  test('of an honest one: no alarm, packs and other events between', async () => {
    const first = await next(ALICE, null, bodyOf(null, { size: 3 }), LOG)
    const pack = await next(ALICE, first, { odd: true }, { type: 'anchor-pack-draft', namespace: '_trust' })
    const second = await next(ALICE, pack, bodyOf(first, { size: 9 }), LOG)
    const other = await next(ADAM, null, bodyOf(null, { size: 4, version: 7 }), LOG)
    const rows = await rowsAfter([first, pack, other, second])
    expect(rows).toHaveLength(2)
    expect(rows.find(({ signer }) => signer === ALICE.signer.did)).toEqual({
      signer: ALICE.signer.did,
      kid: ALICE.signer.kid,
      epoch: EPOCHS[0],
      size: 9,
      root: rootOf(9),
      eventId: second.id,
      authorSeq: 3,
      ts: second.envelope.ts,
      checkpoints: 2,
      unlinked: 0,
      restoredFrom: null,
      alarm: null
    })
  })

  test.each([
    ['LOG_ROLLED_BACK', { size: 6 }],
    ['LOG_REWRITTEN', { size: 8, version: 1 }],
    ['LOG_REWRITTEN', { size: 12, version: 1 }],
    ['EPOCH_UNEXPLAINED', { size: 12, epoch: EPOCHS[1] }]
  ])('%s: %o after eight records', async (code, log) => {
    const first = await next(ALICE, null, bodyOf(null, { size: 4 }), LOG)
    const second = await next(ALICE, first, bodyOf(first, { size: 8 }), LOG)
    const third = await next(ALICE, second, bodyOf(second, log), LOG)
    const [row] = await rowsAfter([first, second, third])
    expect(row).toMatchObject({ size: log.size, alarm: { code, event: third.id, against: second.id, authorSeq: 3 } })
    // What follows is held against it, and the alarm stays.
    const fourth = await next(ALICE, third, bodyOf(third, { ...log, size: 20 }), LOG)
    const [later] = await rowsAfter([first, second, third, fourth])
    expect(later).toMatchObject({ size: 20, alarm: { code, event: third.id } })
  })

  test('two at one position are a fork, and the evidence is the same from both sides', async () => {
    const first = await next(ALICE, null, bodyOf(null, { size: 4 }), LOG)
    const one = await next(ALICE, first, bodyOf(first, { size: 8 }), LOG)
    const two = await next(ALICE, first, bodyOf(first, { size: 9 }), LOG)
    const [event, against] = [one.id, two.id].toSorted()
    for (const events of [
      [first, one, two],
      [first, two, one]
    ])
      expect((await rowsAfter(events))[0]?.alarm).toEqual({ code: 'LOG_FORKED', event, against, authorSeq: 2 })
  })

  test('a restore goes on from any checkpoint before it, however far back, and from no other', async () => {
    const chain = [await next(ALICE, null, bodyOf(null, { size: 1 }), LOG)]
    for (let size = 2; size <= 60; size += 1) {
      const before = chain.at(-1) as SignedEvent
      chain.push(await next(ALICE, before, bodyOf(before, { size, version: size > 5 ? 3 : 0 }), LOG))
    }
    const last = chain.at(-1) as SignedEvent
    const { consistency: _proof, ...previous } = bodyOf(last, { size: 70 })['previous'] as JsonObject
    const restoredFrom = async (event: SignedEvent, size: number): Promise<CheckpointRow | undefined> => {
      const restored = {
        event: event.id,
        epoch: EPOCHS[0],
        size,
        root: rootOf(size),
        consistency: proofOf(size, 70, 9)
      }
      const body = { epoch: EPOCHS[1], size: 70, root: rootOf(70, 9), previous, restored }
      return (await rowsAfter([...chain, await next(ALICE, last, body, LOG)]))[0]
    }
    for (const size of [1, 2, 3, 5]) {
      const row = await restoredFrom(chain[size - 1] as SignedEvent, size)
      expect(row).toMatchObject({ epoch: EPOCHS[1], restoredFrom: { epoch: EPOCHS[0], size }, alarm: null })
    }
    expect((await restoredFrom(chain[1] as SignedEvent, 3))?.alarm?.code).toBe('EPOCH_UNEXPLAINED')
    expect((await restoredFrom(chain[6] as SignedEvent, 7))?.alarm?.code).toBe('EPOCH_UNEXPLAINED')
  })

  test('a body that is none, or another namespace, shows in `effects` and nowhere else', async () => {
    const odd = await next(ALICE, null, { size: 1 }, LOG)
    const elsewhere = await next(ALICE, null, bodyOf(null, { size: 3 }), { type: 'checkpoint' })
    const ledger = await openLedger({ policy })
    await ledger.append(odd, elsewhere)
    await ledger.caughtUp()
    expect(await allRows(ledger, 'checkpoints')).toEqual([])
    const effects = new Map((await allRows(ledger, 'effects')).map((row) => [row['eventId'], row['effect']]))
    expect(effects.get(odd.id)).toBe('BODY_INVALID')
    expect(effects.get(elsewhere.id)).toBe('TYPE_UNKNOWN')
    await ledger.close()
  })
})

/** Events of two keys' chains, each after any event of its chain: honest checkpoints, lies, forks, and what is none. */
const someHistory = fc.array(
  fc.record({
    author: fc.constantFrom(ALICE, ALICE, ADAM, ALICE_2, ALICE_3),
    across: fc.option(fc.nat(30)),
    after: fc.nat(30),
    kind: fc.constantFrom('grow', 'grow', 'grow', 'lie', 'epoch', 'restore', 'other', 'odd'),
    size: fc.integer({ min: 0, max: 20 }),
    version: fc.nat(2)
  }),
  { minLength: 1, maxLength: 14 }
)

test('whatever the order and the grouping, the rows are the same', async () => {
  await fc.assert(
    fc.asyncProperty(someHistory, someArrival, someArrival, async (history, one, other) => {
      const events: SignedEvent[] = []
      for (const [index, { author, across, after, kind, size, version }] of history.entries()) {
        const own = events.filter(({ envelope }) => envelope.kid === author.signer.kid)
        const before = own.length === 0 ? null : (own[own.length - 1 - (after % Math.min(2, own.length))] ?? null)
        const others = events.filter(
          ({ envelope: { signer, kid, body } }) =>
            signer === author.signer.did && kid !== author.signer.kid && typeof body['size'] === 'number'
        )
        const beside = across === null ? undefined : others[across % Math.max(1, others.length)]
        const body =
          beside === undefined || kind === 'other' || kind === 'odd'
            ? made(index, kind, before, own, { size, version })
            : bodyAcross(beside, { size: Number(beside.envelope.body['size']) + size, version })
        events.push(await next(author, before, body, LOG_OR(kind)))
      }
      const unique = [...new Map(events.map((event) => [event.id, event])).values()]
      expect(await rowsAfter(unique, other)).toEqual(await rowsAfter(unique, one))
    }),
    { numRuns: 80 }
  )
})

const LOG_OR = (kind: string): typeof LOG => (kind === 'other' ? { ...LOG, type: 'novelty' } : LOG)

function made(
  index: number,
  kind: string,
  before: SignedEvent | null,
  own: readonly SignedEvent[],
  { size, version }: { size: number; version: number }
): JsonObject {
  if (kind === 'other') return { index }
  if (kind === 'odd') return { index, size: 'none' }
  const isCheckpoint = before?.envelope.body['epoch'] !== undefined
  const last = isCheckpoint ? before : null
  const known = Number(last?.envelope.body['size'] ?? 0)
  if (kind === 'grow') return bodyOf(last, { size: known + size })
  if (kind === 'lie') return bodyOf(last, { size, version })
  const epoch = sha256Hex(`epoch ${index}`).slice(0, 16)
  const others = own.filter(({ envelope: { body } }) => typeof body['size'] === 'number')
  const chosen = others[index % others.length]
  if (kind === 'epoch' || chosen === undefined) return bodyOf(last, { size, epoch })
  const { id, envelope } = chosen
  const {
    epoch: from = EPOCHS[0],
    size: held = 0,
    root = rootOf(0)
  } = envelope.body as {
    epoch?: string
    size?: number
    root?: string
  }
  const to = held + size
  return bodyOf(
    last,
    { size: to, version, epoch },
    { event: id, epoch: from, size: held, root, consistency: proofOf(held, to, version) }
  )
}
