import fc from 'fast-check'
import { expect } from 'vitest'
import type { LocalEvent } from '../../src/events/local.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Frame } from '../../src/api/frames.ts'
import type { ReadScope } from '../../src/policy/read-scope.ts'
import { SEES_ALL } from '../../src/policy/read-scope.ts'
import type { SubscriptionHub } from '../../src/subscriptions/hub.ts'
import { counted, countedRows, countingProjection } from '../projections/support/counting.ts'
import type { Ledger } from '../projections/support/ledger.ts'
import { openLedger } from '../projections/support/ledger.ts'
import { ALICE, EVERYBODY } from '../projections/support/world.ts'
import { policyOf } from '../support/identities.ts'
import { Line, TINY_LIMITS, connect, hubOf, quietly, scopeOf } from './support.ts'

const POLICY = policyOf(ALICE, EVERYBODY)
const NAMESPACES = ['dao:a', 'dao:a-b', 'dao:c']

/** What a reader asks for, and which keys it is to get. */
interface Asked {
  readonly namespace?: string
  readonly scope: ReadScope
}

const VIEWS: readonly Asked[] = [
  { scope: SEES_ALL },
  { scope: SEES_ALL, namespace: 'dao:a' },
  { scope: scopeOf('dao:a', 'dao:c') },
  { scope: scopeOf('dao:a-b'), namespace: 'dao:a-b' }
]

const shows = ({ scope, namespace }: Asked, key: string): boolean => {
  const of = key.split('!')[0] ?? ''
  return (namespace === undefined || of === namespace) && (scope.namespaces === null || scope.namespaces.has(of))
}

type Act =
  | {
      readonly act: 'append'
      readonly events: readonly (readonly [name: number, remove: boolean])[]
      readonly wait: boolean
    }
  | { readonly act: 'connect'; readonly reader: number }
  | { readonly act: 'cut'; readonly reader: number; readonly forget: number }
  | { readonly act: 'stall' | 'flow'; readonly reader: number }
  | { readonly act: 'settle' | 'rebuild' | 'restart' | 'tick' }

const READERS = 6
const reader = fc.nat(READERS - 1)
const someEvents = fc.array(fc.tuple(fc.nat(23), fc.boolean()), { minLength: 1, maxLength: 12 })
const someAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('append'), events: someEvents, wait: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('connect'), reader }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('cut'), reader, forget: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('stall', 'flow'), reader }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('settle', 'tick') }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('rebuild', 'restart') }) }
)

/** A row is removed again, of which a limited reader knows from a run that it was cut off in. */
const REMOVED_AGAIN: readonly Act[] = [
  { act: 'connect', reader: 2 },
  { act: 'append', events: [[0, false]], wait: false },
  { act: 'append', events: [2, 11].map((name) => [name, false] as const), wait: false },
  { act: 'settle' },
  { act: 'cut', reader: 2, forget: 1 },
  { act: 'append', events: [0, 2, 3, 2, 3, 0, 1].map((name) => [name, false] as const), wait: false },
  { act: 'append', events: [[0, true]], wait: false }
]

/** An app: its rows, and what it had after each frame, because it may be killed before it has written that down. */
class App {
  readonly asked: Asked
  readonly #form: 'events' | 'messages'
  readonly #model: (logSeq: number) => ReadonlyMap<string, unknown>
  line: Line | null = null
  rows = new Map<string, unknown>()
  cursor: string | undefined
  /** The cursor and the rows after each frame of this connection. */
  #history: { readonly cursor: string | undefined; readonly rows: ReadonlyMap<string, unknown> }[] = []
  #isCaughtUp = false

  constructor(index: number, model: (logSeq: number) => ReadonlyMap<string, unknown>) {
    this.asked = VIEWS[index % VIEWS.length] ?? { scope: SEES_ALL }
    this.#form = index % 2 === 0 ? 'events' : 'messages'
    this.#model = model
  }

  connect(hub: SubscriptionHub): void {
    if (this.line !== null) return
    this.#isCaughtUp = false
    if (this.cursor === undefined) this.rows.clear()
    this.#history = [{ cursor: this.cursor, rows: new Map(this.rows) }]
    const line = new Line(this.#form, {
      hasCursor: this.cursor !== undefined,
      onFrame: (frame) => this.#take(frame)
    })
    this.line = connect(hub, line, { ...this.asked, ...(this.cursor === undefined ? {} : { cursor: this.cursor }) })
  }

  /** Dies; its last `forget` frames are not written down. */
  cut(forget: number): void {
    this.line?.cut()
    expect(this.line?.failures ?? []).toEqual([])
    this.line = null
    const kept = this.#history.at(-1 - Math.min(forget, Math.max(0, this.#history.length - 1)))
    if (kept === undefined) return
    this.rows = new Map(kept.rows)
    this.cursor = kept.cursor
  }

  #take(frame: Frame): void {
    const before = this.cursor
    if (frame.frame === 'snapshot' || frame.frame === 'change') {
      if (frame.row === null) this.rows.delete(frame.key)
      else this.rows.set(frame.key, frame.row)
      expect(shows(this.asked, frame.key)).toBe(true)
    }
    if (frame.cursor !== null) this.cursor = frame.cursor
    if (frame.frame === 'caught-up') this.#isCaughtUp = true
    // SU-7.
    if (this.#isCaughtUp && (frame.frame === 'caught-up' || frame.cursor !== before))
      expect(sorted(this.rows)).toEqual(this.expected(frame.logSeq))
    this.#history.push({ cursor: this.cursor, rows: new Map(this.rows) })
    expect(frame.frame).not.toBe('error')
  }

  expected(logSeq: number): [string, unknown][] {
    return [...this.#model(logSeq)].filter(([key]) => shows(this.asked, key))
  }
}

const sorted = (rows: ReadonlyMap<string, unknown>): [string, unknown][] =>
  [...rows].sort(([left], [right]) => (left < right ? -1 : 1))

/**
 * Whatever is appended, and whoever comes, goes, stalls, dies with some of what it got, and comes again with its cursor,
 * also after the node was restarted or its rows rebuilt: at every cursor a reader has exactly the rows of its view there.
 */
export async function readersMissNothing(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(someAct, { minLength: 10, maxLength: 60 }), async (acts) => {
      const store = await openMemoryStore()
      const projections = [countingProjection()]
      const events: LocalEvent[] = []
      let ledger: Ledger = await openLedger({ store, policy: POLICY, projections })
      let hub = hubOf(ledger, { limits: TINY_LIMITS })
      // The first record is the policy.
      const model = (logSeq: number): ReadonlyMap<string, unknown> =>
        countedRows(events.slice(0, Math.max(0, logSeq - 1)), 2)
      const apps = Array.from({ length: READERS }, (_, index) => new App(index, model))
      for (const act of acts) {
        if (act.act === 'append') {
          const made = act.events.map(([name, remove]) => counted(`${NAMESPACES[name % 3]}!n${name}`, { remove }))
          events.push(...made)
          await ledger.appendLocal(...made)
          if (act.wait) await ledger.caughtUp()
        } else if (act.act === 'connect') apps[act.reader]?.connect(hub)
        else if (act.act === 'cut') apps[act.reader]?.cut(act.forget)
        else if (act.act === 'stall') apps[act.reader]?.line?.stall()
        else if (act.act === 'flow') apps[act.reader]?.line?.flow()
        else if (act.act === 'settle') await quietly()
        else if (act.act === 'tick') await ledger.clock.advance(1_000)
        else if (act.act === 'rebuild') await ledger.engine.rebuild()
        else {
          for (const app of apps) app.cut(0)
          await hub.stop()
          await ledger.close()
          ledger = await openLedger({ store, policy: POLICY, projections })
          hub = hubOf(ledger, { limits: TINY_LIMITS })
        }
        // One that was too slow comes again where it was.
        for (const app of apps) if (app.line?.ended === true) app.line.flow()
        for (const app of apps) if (app.line?.ended === true) app.cut(0)
      }
      await ledger.caughtUp()
      for (const app of apps) {
        app.line?.flow()
        if (app.line?.ended === true) app.cut(0)
        app.connect(hub)
      }
      for (let turn = 0; turn < 20; turn += 1) await quietly()
      const { logSeq } = ledger.log.head
      for (const app of apps) {
        expect(app.line?.frames.some(({ frame }) => frame === 'caught-up')).toBe(true)
        expect(sorted(app.rows)).toEqual(app.expected(logSeq))
      }
      for (const app of apps) app.cut(0)
      await hub.stop()
      expect(hub.stats().subscribers).toBe(0)
      await ledger.close()
    }),
    { numRuns, examples: [[[...REMOVED_AGAIN]]] }
  )
}
