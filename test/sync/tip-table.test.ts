import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, fromHex, toHex } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { AppendedEvent } from '../../src/sync/tip-table.ts'
import { TipTable } from '../../src/sync/tip-table.ts'

/** Events of some chains, forks among them, in an order in which each comes after its predecessor. */
const histories = fc.array(fc.record({ chain: fc.nat(5), after: fc.nat(100) }), { maxLength: 60 }).map((steps) => {
  const events: AppendedEvent[] = []
  for (const [index, { chain, after }] of steps.entries()) {
    const name = sha256Hex(`chain ${chain}`)
    const own = events.filter((event) => event.chain === name)
    const prev = own.length === 0 ? undefined : own[after % own.length]
    const authorSeq = (prev?.authorSeq ?? 0) + 1
    events.push({ chain: name, id: sha256Hex(`event ${index}`), prev: prev?.id ?? null, authorSeq })
  }
  return events
})

/** RS-1, word for word and all at once. */
function rootByTheBook(events: readonly AppendedEvent[]): string {
  const followed = new Set(events.map(({ prev }) => prev))
  const tips = events.filter(({ id }) => !followed.has(id))
  const chains = [...new Set(tips.map(({ chain }) => chain))].sort()
  const states = new Map(
    chains.map((chain) => {
      const ids = tips.filter((tip) => tip.chain === chain).map(({ id }) => id)
      return [chain, sha256(concat(bytes(chain), ...ids.sort().map(bytes)))]
    })
  )
  const buckets = Array.from({ length: 4_096 }, (_, index) => {
    const prefix = index.toString(16).padStart(3, '0')
    const own = chains.filter((chain) => chain.startsWith(prefix)).map((chain) => states.get(chain) ?? new Uint8Array())
    return sha256(concat(Uint8Array.of(0), ...own))
  })
  const groups = Array.from({ length: 64 }, (_, index) =>
    sha256(concat(Uint8Array.of(1), ...buckets.slice(index * 64, index * 64 + 64)))
  )
  return toHex(sha256(concat(Uint8Array.of(2), ...groups)))
}

function bytes(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array
}

function filled(events: readonly AppendedEvent[]): TipTable {
  const table = new TipTable()
  for (const event of events) table.append(event)
  return table
}

describe('the tips root', () => {
  test('is that of RS-1, whenever views are taken in between', () => {
    fc.assert(
      fc.property(histories, fc.nat(10), (events, every) => {
        const table = new TipTable()
        for (const [index, event] of events.entries()) {
          table.append(event)
          if (every > 0 && index % every === 0) table.view()
        }
        expect(toHex(table.view().root())).toBe(rootByTheBook(events))
      }),
      { numRuns: 50 }
    )
  })

  test('is the same when the tips are loaded as when the events were appended', () => {
    fc.assert(
      fc.property(histories, (events) => {
        const view = filled(events).view()
        const loaded = new TipTable()
        for (const { chain, tips } of view) for (const tip of tips) loaded.load(chain, tip)
        expect(loaded.view().root()).toEqual(view.root())
        expect([...loaded.view()]).toEqual([...view])
      }),
      { numRuns: 50 }
    )
  })
})

describe('a view', () => {
  test('stays what it was, while the table goes on', () => {
    const table = new TipTable()
    const chain = sha256Hex('chain')
    table.append({ chain, id: sha256Hex('first'), prev: null, authorSeq: 1 })
    const before = table.view()
    table.append({ chain, id: sha256Hex('second'), prev: sha256Hex('first'), authorSeq: 2 })
    expect(before.find(chain)?.tips).toEqual([{ id: sha256Hex('first'), authorSeq: 1 }])
    expect(table.view().find(chain)?.tips).toEqual([{ id: sha256Hex('second'), authorSeq: 2 }])
    expect(table.view().root()).not.toEqual(before.root())
    expect(before.chains).toBe(1)
  })

  test('gives chains in order and finds each by a prefix of its id', () => {
    const events = Array.from({ length: 300 }, (_, index) => ({
      chain: sha256Hex(`chain ${index}`),
      id: sha256Hex(`event ${index}`),
      prev: null,
      authorSeq: 1
    }))
    const view = filled(events).view()
    const chains = [...view].map(({ chain }) => chain)
    expect(chains).toEqual(events.map(({ chain }) => chain).sort())
    expect(view.chains).toBe(300)
    for (const chain of chains) expect(view.find(chain.slice(0, 32))?.chain).toBe(chain)
    expect(view.find(sha256Hex('no chain'))).toBeUndefined()
  })
})
