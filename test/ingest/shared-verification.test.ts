import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256 } from '../../protocols/primitives/sha256.ts'
import type { Outcome } from '../../src/events/outcome.ts'
import { outcomeName } from '../../src/events/outcome.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { SignatureThreads } from '../../src/platform/signature-threads.ts'
import type { SignatureVerifiers } from '../../src/platform/signature-verifiers.ts'
import { inThreadVerifiers } from '../../src/platform/signature-verifiers.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import { member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { openIngest } from '../support/ingest.ts'
import type { Ingest } from '../support/ingest.ts'
import { WatchedStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import { Variety, assertVaried } from '../support/variety.ts'
import { garbageSignature } from './wires.ts'

const self = member('self')
const ada = member('ada')
const bob = member('bob')
const stranger = member('stranger')
const everybody = [self, ada, bob]

/** As many as are verified together, and some. */
const MANY = 40

async function chainOf(author: TestMember, count: number, name: string = author.orgId): Promise<SignedEvent[]> {
  const events: SignedEvent[] = []
  for (let index = 0; index < count; index += 1)
    events.push(await next(author, events.at(-1) ?? null, announceBody(`${name}-${index}`)))
  return events
}

/** Hands all of them in in one turn. */
function submitAll(ingest: Ingest, wires: readonly Uint8Array[]): Promise<Outcome[]> {
  return Promise.all(wires.map((wire) => ingest.door.submit(wire, { via: 'sync', peer: 'peer-1' })))
}

/** An event that waits for another may be taken at once or later, as it happens; in the end it is in or it is not. */
function endName(outcome: Outcome): string {
  const name = outcomeName(outcome)
  return ['accepted', 'duplicate', 'pending(PREDECESSOR_MISSING)'].includes(name) ? 'good' : name
}

/** Keeps its answers back until it is let go. */
class HeldVerifiers implements SignatureVerifiers {
  readonly groups: number[] = []
  readonly #held = Promise.withResolvers<void>()

  release(): void {
    this.#held.resolve()
  }

  async verify(jobs: Parameters<SignatureVerifiers['verify']>[0]): Promise<readonly boolean[]> {
    this.groups.push(jobs.length)
    // What it finds it finds now, as a thread does.
    const verdicts = await inThreadVerifiers.verify(jobs)
    await this.#held.promise
    return verdicts
  }

  async close(): Promise<void> {
    this.release()
  }
}

describe('events that come together', () => {
  test('are verified together, the chain of one author in one group, and written in one', async () => {
    const verifiers = new HeldVerifiers()
    verifiers.release()
    const store = new WatchedStore(await openMemoryStore())
    const ingest = await openIngest(self, everybody, { signatureVerifiers: verifiers, store })
    const events = await chainOf(ada, 3 * MANY)
    await submitAll(
      ingest,
      events.slice(0, 2 * MANY).map(({ wire }) => wire)
    )
    await submitAll(
      ingest,
      events.slice(2 * MANY).map(({ wire }) => wire)
    )
    expect(verifiers.groups).toEqual([2 * MANY, MANY])
    // The first record is the policy.
    expect(store.groups()).toEqual([1, 2 * MANY, MANY])
    expect(ingest.door.status()).toMatchObject({ outcomes: { accepted: 3 * MANY }, signaturesVerified: 3 * MANY })
  })

  test('a few are verified at once, though others wait for an answer', async () => {
    const verifiers = new HeldVerifiers()
    const ingest = await openIngest(self, everybody, { signatureVerifiers: verifiers })
    const many = submitAll(
      ingest,
      (await chainOf(ada, MANY)).map(({ wire }) => wire)
    )
    await until('they are asked for', () => verifiers.groups.length === 1)
    const few = await submitAll(
      ingest,
      (await chainOf(bob, 15)).map(({ wire }) => wire)
    )
    expect(new Set(few.map(outcomeName))).toEqual(new Set(['accepted']))
    verifiers.release()
    expect(new Set((await many).map(outcomeName))).toEqual(new Set(['accepted']))
    expect(verifiers.groups).toEqual([MANY])
  })

  test('verifiers that fail are a defect of those who asked, and of nobody else', async () => {
    const failing: SignatureVerifiers = {
      verify: () => Promise.reject(new Error('no answer')),
      close: async () => {}
    }
    const ingest = await openIngest(self, everybody, { signatureVerifiers: failing })
    const [first, ...others] = await chainOf(ada, MANY)
    const ends = await Promise.allSettled(others.map(({ wire }) => ingest.door.submit(wire, { via: 'import' })))
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(await ingest.door.submit(first?.wire ?? new Uint8Array(), { via: 'import' })).toMatchObject({
      outcome: 'accepted'
    })
  })
})

describe('a key that is bound while the signature is checked', () => {
  const machine = (seed: string): Signer =>
    localSigner(sha256(`machine ${seed}`), { did: ada.signer.did, kid: 'machine-2' })

  test.each([
    ['of the organisation, of whose kid more keys may come', ada.orgId],
    ['of the signer alone, so that the signature is found bad', ada.signer.did]
  ])('counts: one %s', async (_, holder) => {
    const verifiers = new HeldVerifiers()
    const ingest = await openIngest(self, everybody, { signatureVerifiers: verifiers })
    const bind = (signer: Signer): boolean => ingest.keyring.bind(holder, signer.kid, toBase64url(signer.publicKey))
    bind(machine('first'))
    const event = await next({ ...ada, signer: machine('second') }, null, announceBody('late'))
    const wires = [...(await chainOf(bob, MANY)), event].map(({ wire }) => wire)
    const outcomes = submitAll(ingest, wires)
    await until('the signatures are being checked', () => verifiers.groups.length === 1)
    expect(bind(machine('second'))).toBe(true)
    await ingest.door.keysBound()
    verifiers.release()
    expect(new Set((await outcomes).map(outcomeName))).toEqual(new Set(['accepted']))
    expect(verifiers.groups).toEqual([MANY + 1])
    expect(ingest.door.status()).toMatchObject({ pending: { events: 0 }, signaturesVerified: MANY + 2 })
  })

  test('does not, where it is not the one that signed: then the event waits, or is refused, as before', async () => {
    for (const [holder, outcome] of [
      [ada.orgId, 'pending(KEY_UNKNOWN)'],
      [ada.signer.did, 'rejected(SIGNATURE_INVALID)']
    ] as const) {
      const verifiers = new HeldVerifiers()
      const ingest = await openIngest(self, everybody, { signatureVerifiers: verifiers })
      const bind = (signer: Signer): boolean => ingest.keyring.bind(holder, signer.kid, toBase64url(signer.publicKey))
      bind(machine('first'))
      const event = await next({ ...ada, signer: machine('second') }, null, announceBody('never'))
      const outcomes = submitAll(
        ingest,
        [...(await chainOf(bob, MANY)), event].map(({ wire }) => wire)
      )
      await until('the signatures are being checked', () => verifiers.groups.length === 1)
      bind(machine('third'))
      await ingest.door.keysBound()
      verifiers.release()
      const last = (await outcomes).at(-1)
      expect(last === undefined ? '' : outcomeName(last)).toBe(outcome)
      expect(ingest.door.status().pending.events).toBe(outcome.startsWith('pending') ? 1 : 0)
    }
  })
})

describe('any mix', () => {
  const threads = new SignatureThreads({ clock: createHandClock(), logger: silentLogger, threads: 2 })
  /** Three chains of `CHAIN` events, a fork after the first of the second chain, and what is not to be held. */
  const pool: Uint8Array[] = []
  const CHAIN = 12
  const FORK = 3 * CHAIN

  beforeAll(async () => {
    threads.start()
    await until('the threads are ready', () => threads.ready === 2)
    const unbound: TestMember = {
      ...ada,
      signer: localSigner(sha256('unbound'), { did: ada.signer.did, kid: 'machine-9' })
    }
    const good = (await Promise.all([chainOf(self, CHAIN), chainOf(ada, CHAIN), chainOf(bob, CHAIN)])).flat()
    const fork = await next(ada, good[CHAIN] ?? null, announceBody('fork'))
    const others = [fork, ...(await chainOf(stranger, 2)), ...(await chainOf(unbound, 3))]
    for (const { wire } of [...good, ...others]) pool.push(wire)
    for (const { wire } of good.slice(0, 20)) pool.push(garbageSignature(wire))
    for (const { wire } of good.slice(20, 24)) pool.push(wire.slice(0, -1))
  })

  afterAll(async () => {
    await threads.close()
  })

  /** The events that must be held in the end: those that were handed in with all that they follow. */
  function heldOf(groups: readonly (readonly number[])[]): Uint8Array[] {
    const given = new Set(groups.flat())
    const isHeld = (index: number): boolean => {
      if (!given.has(index)) return false
      if (index === FORK) return isHeld(CHAIN)
      return index % CHAIN === 0 || isHeld(index - 1)
    }
    return pool.filter((_, index) => index <= FORK && isHeld(index))
  }

  /** What became of each, and how many signatures were verified. */
  async function endOf(
    groups: readonly (readonly number[])[],
    signatureVerifiers: SignatureVerifiers | null
  ): Promise<unknown> {
    const ingest = await openIngest(self, everybody, signatureVerifiers === null ? {} : { signatureVerifiers })
    const outcomes: string[][] = []
    for (const group of groups) {
      const wires = group.flatMap((index) => pool[index] ?? [])
      outcomes.push((await submitAll(ingest, wires)).map(endName))
    }
    const held = heldOf(groups)
    await until('what can be held is held', () => ingest.log.head.logSeq === held.length + 1)
    const payloads: string[] = []
    for await (const { payload, scope } of ingest.log.records(0, ingest.log.head.logSeq))
      if (scope === 'shared') payloads.push(Buffer.from(payload).toString('hex'))
    expect(payloads.toSorted()).toEqual(held.map((wire) => Buffer.from(wire).toString('hex')).toSorted())
    const { signaturesVerified, pending } = ingest.door.status()
    await ingest.close()
    return { outcomes, signaturesVerified, pending: pending.events }
  }

  test('of events has the same outcomes in this thread, by a port in this thread, and by threads', async () => {
    const variety = new Variety({ asked: 21 })
    const counting: SignatureVerifiers = {
      verify: (jobs) => {
        variety.saw('asked')
        return inThreadVerifiers.verify(jobs)
      },
      close: async () => {}
    }
    const group = fc.array(fc.nat({ max: pool.length - 1 }), { minLength: 1, maxLength: 160, size: 'max' })
    await assertVaried(
      fc.asyncProperty(fc.array(group, { minLength: 1, maxLength: 4 }), async (groups) => {
        const inline = await endOf(groups, null)
        expect(await endOf(groups, counting)).toEqual(inline)
        expect(await endOf(groups, threads)).toEqual(inline)
      }),
      variety,
      // Every case asks, but for the few of events that can't be held. Three nodes a run: a search for a smaller
      // counterexample would take minutes.
      { numRuns: 40, portions: 2, endOnFailure: true }
    )
  })
})
