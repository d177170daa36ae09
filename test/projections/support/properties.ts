import fc from 'fast-check'
import { expect } from 'vitest'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { openMemoryStore } from '../../../src/log/level-store.ts'
import type { AppendEntry } from '../../../src/log/event-log.ts'
import type { EffectivePolicy } from '../../../src/policy/policy.ts'
import { PROJECTIONS } from '../../../src/projections/all.ts'
import type { SignedEvent } from '../../support/events.ts'
import { NAMESPACE, policyOf } from '../../support/identities.ts'
import { Follower, rowsInKeyOrder } from './follower.ts'
import type { Ledger } from './ledger.ts'
import { allRows, everyRow, openLedger, policyEntry, sharedEntry, sharedLines } from './ledger.ts'
import { expectedLines } from './model.ts'
import type { Arrival } from './order.ts'
import { admissible, someArrival } from './order.ts'
import { chosenPolicy, somePolicy } from './policies.ts'
import type { RecordedWrite } from './stores.ts'
import { storeOf, watchedStore } from './stores.ts'
import { someVerdicts, withVerdicts } from './verdicts.ts'
import { ADAM, ALICE, BERTA, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from './world.ts'

/**
 * What holds of every projection, each as a property to be tried `numRuns` times: some in each test run, many in the
 * long one.
 */

const POLICY = policyOf(ALICE, EVERYBODY, {
  namespaces: [NAMESPACE, OTHER_NAMESPACE],
  announcers: [ALICE, ADAM, BERTA]
})

/**
 * Whatever the order and the grouping: the same shared fields and digests, those that the model says, and a rebuild
 * changes nothing.
 */
export async function ordersAgree(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(someActs(40), someArrival, someArrival, async (acts, first, second) => {
      const events = await eventsOf(acts)
      const one = await fold(events, first)
      const other = await fold(events, second)
      expect(other.lines).toEqual(one.lines)
      expect(other.digests).toEqual(one.digests)
      expect([...one.rebuilt, ...other.rebuilt].filter(({ identical }) => !identical)).toEqual([])
      for (const [name, lines] of Object.entries(expectedLines(events, POLICY))) {
        const shown = (one.lines[name] ?? []).filter((line) => !line.includes('"packSeq":'))
        expect(shown.toSorted(), name).toEqual(lines)
      }
    }),
    { numRuns }
  )
}

async function fold(events: readonly SignedEvent[], arrival: Arrival) {
  const ledger = await openLedger({ policy: POLICY })
  for (const group of admissible(events, arrival)) {
    await ledger.append(...group)
    if (group.length % 2 === 0) await ledger.caughtUp()
  }
  await ledger.caughtUp()
  const lines = await sharedLines(ledger)
  const digests = []
  for (const namespace of [NAMESPACE, OTHER_NAMESPACE, '_trust']) {
    const digest = await ledger.digest(namespace)
    expect([digest.events, digest.count]).toEqual([
      await tipsDigest(ledger, namespace),
      await ledger.log.count(namespace)
    ])
    digests.push({ ...digest, logSeq: 0 })
  }
  const rebuilt = await ledger.engine.rebuild()
  await ledger.close()
  return { lines, digests, rebuilt }
}

/** SHA-256 over the sorted tips, as the log's own index has them. */
async function tipsDigest({ log }: Ledger, namespace: string): Promise<string> {
  const ids: string[] = []
  for await (const { id } of log.tips(namespace)) ids.push(id)
  return sha256Hex(Buffer.from(ids.sort().join(''), 'hex'))
}

/** After any changes of policy: the rows of a node that had the last one all along, and a rebuild changes nothing. */
export async function policiesAgree(numRuns: number): Promise<void> {
  const steps = fc.array(fc.record({ policy: somePolicy, restart: fc.boolean() }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(
      someActs(30),
      someArrival,
      someVerdicts,
      steps,
      somePolicy,
      async (acts, arrival, verdicts, changes, first) => {
        const events = await eventsOf(acts)
        const groups = withVerdicts(
          admissible(events, arrival).map((group) => group.map(sharedEntry)),
          verdicts
        )
        let policy = chosenPolicy(first, events)
        let ledger = await openLedger({ policy })
        const perStep = Math.ceil(groups.length / (changes.length + 1))
        for (const [step, change] of [null, ...changes].entries()) {
          if (change !== null) {
            policy = chosenPolicy(change.policy, events)
            if (change.restart) {
              await ledger.close()
              ledger = await openLedger({ store: ledger.store })
            }
            await ledger.appendPolicy(policy)
          }
          for (const group of groups.slice(step * perStep, (step + 1) * perStep)) await ledger.log.append(group)
        }
        await ledger.caughtUp()
        const rows = await comparableRows(ledger)
        const rebuilt = await ledger.engine.rebuild()
        await ledger.close()
        expect(rows).toEqual(await freshRows(policy, groups.flat()))
        expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])
      }
    ),
    { numRuns }
  )
}

/** All rows, without the one local column that depends on the positions in this log. */
async function comparableRows(ledger: Ledger): Promise<unknown> {
  const rows = await everyRow(ledger)
  return JSON.parse(JSON.stringify(rows, (name, value: unknown) => (name === 'firstSeenLogSeq' ? undefined : value)))
}

/** The rows of a node that had the policy from the beginning. */
async function freshRows(policy: EffectivePolicy, entries: readonly AppendEntry[]): Promise<unknown> {
  const ledger = await openLedger({ policy })
  await ledger.log.append(entries)
  await ledger.caughtUp()
  const rows = await comparableRows(ledger)
  await ledger.close()
  return rows
}

/** Wherever a crash cuts the writes: the rows of a node that never crashed, now and at every position. */
export async function crashesLoseNothing(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      someActs(16),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(30),
      somePolicy,
      async (acts, part, policyAfter, choice) => {
        const writes: RecordedWrite[] = []
        const store = watchedStore(await openMemoryStore(), { beforeWrite: (write) => void writes.push(write) })
        const first = await openLedger({ store, policy: POLICY })
        const events = await eventsOf(acts)
        const states = [null, await everyRow(first)]
        for (const [index, event] of events.entries()) {
          if (index === policyAfter % events.length) {
            await first.appendPolicy(chosenPolicy(choice, events))
            await first.caughtUp()
            states.push(await everyRow(first))
          }
          await first.append(event)
          // Not each one is folded by itself.
          if (index % 3 === 0) await first.caughtUp()
          states.push(index % 3 === 0 ? await everyRow(first) : null)
        }
        await first.caughtUp()
        const expected = await everyRow(first)
        await first.close()
        // What follows the last synced batch may be lost, all of it or its end.
        const synced = writes.findLastIndex(({ sync }) => sync) + 1
        const kept = synced + Math.floor(part * (writes.length - synced + 1))
        const again = await openLedger({ store: await storeOf(writes.slice(0, kept)) })
        await again.caughtUp()
        expect(await everyRow(again)).toEqual(expected)
        for (const [at, rows] of states.entries())
          if (rows !== null)
            expect(await everyRow({ query: (name, query) => again.query(name, { ...query, at }) }), `at ${at}`).toEqual(
              rows
            )
        expect((await again.engine.rebuild()).filter(({ identical }) => !identical)).toEqual([])
        await again.close()
      }
    ),
    { numRuns }
  )
}

/** `at` gives the rows exactly as they were, whatever the groups and policies in between. */
export async function pastIsKept(numRuns: number): Promise<void> {
  const insertions = fc.array(fc.record({ after: fc.nat(30), policy: somePolicy }), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(
      someActs(20),
      someArrival,
      someVerdicts,
      insertions,
      fc.boolean(),
      async (acts, arrival, verdicts, policies, restart) => {
        const events = await eventsOf(acts)
        const groups = withVerdicts(
          admissible(events, arrival).map((group) => group.map(sharedEntry)),
          verdicts
        )
        for (const { after, policy: choice } of policies)
          groups[after % groups.length]?.push(policyEntry(chosenPolicy(choice, events)))
        // The model takes the same records in one by one, and remembers all rows after each.
        const model = await openLedger({ policy: POLICY })
        await model.caughtUp()
        const states = [await everyRow(model), await everyRow(model)]
        for (const entry of groups.flat()) {
          await model.log.append([entry])
          await model.caughtUp()
          states.push(await everyRow(model))
        }
        let ledger = await openLedger({ policy: POLICY })
        for (const group of groups) await ledger.log.append(group)
        await ledger.caughtUp()
        if (restart) {
          await ledger.engine.rebuild()
          await ledger.close()
          ledger = await openLedger({ store: ledger.store })
        }
        for (const { name } of PROJECTIONS) {
          for (const [at, rows] of states.entries()) {
            if (at === 0) continue
            expect(await allRows(ledger, name, { at, limit: 3 }), `${name} at ${at}`).toEqual(rows[name])
          }
        }
        expect((await ledger.query('batches', { at: 1 })).logSeq).toBe(1)
      }
    ),
    { numRuns }
  )
}

/** A client that keeps the cursor and applies changes ends with the rows of a query. */
export async function followersKeepUp(numRuns: number): Promise<void> {
  const step = fc.record({
    read: fc.nat(6),
    hangUp: fc.boolean(),
    restart: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
    rebuild: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 }),
    policy: fc.option(somePolicy, { freq: 4 })
  })
  await fc.assert(
    fc.asyncProperty(
      someActs(24),
      someArrival,
      fc.array(step, { minLength: 1, maxLength: 12 }),
      async (acts, arrival, steps) => {
        const events = await eventsOf(acts)
        const groups = admissible(events, arrival)
        let ledger = await openLedger({ policy: POLICY })
        const followers = PROJECTIONS.map(({ name }) => ({
          name,
          follower: new Follower((query) => ledger.changes(name, query))
        }))
        for (const [index, group] of groups.entries()) {
          const {
            read,
            hangUp,
            restart,
            rebuild,
            policy: choice
          } = steps[index % steps.length] ?? { read: 1, hangUp: false, restart: false, rebuild: false, policy: null }
          const entries = group.map(sharedEntry)
          const appending = ledger.log.append(
            choice === null ? entries : [...entries, policyEntry(chosenPolicy(choice, events))]
          )
          for (const { follower } of followers) expect(await follower.read(read)).toBe('open')
          await appending
          if (hangUp || restart) for (const { follower } of followers) await follower.disconnect()
          if (rebuild) await ledger.engine.rebuild()
          if (!restart) continue
          await ledger.close()
          ledger = await openLedger({ store: ledger.store })
        }
        await ledger.caughtUp()
        for (const { name, follower } of followers) {
          await follower.readAll()
          expect(rowsInKeyOrder(follower.rows), name).toEqual(await allRows(ledger, name))
          await follower.disconnect()
        }
        await ledger.close()
      }
    ),
    { numRuns }
  )
}
