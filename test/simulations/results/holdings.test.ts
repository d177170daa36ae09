import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Holdings } from '../../../simulations/results/holdings.ts'
import { WinnerBook } from '../../../simulations/results/winner-book.ts'

const NODES = 4
const node = fc.nat(NODES - 1)

test('what nodes lack is as sets of events say, whatever happens to nodes and disks', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('accept' as const), node, event: fc.nat(70) }),
    fc.record({ kind: fc.constant('count' as const), node, counts: fc.boolean() }),
    fc.record({ kind: fc.constant('lose' as const), node })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const holdings = new Holdings(NODES)
      const held = Array.from({ length: NODES }, () => new Set<number>())
      const counting = new Set<number>()
      for (const happens of steps) {
        if (happens.kind === 'accept') {
          const { event } = holdings.numberOf(`event ${happens.event}`)
          holdings.accept(event, happens.node, 1)
          held[happens.node]?.add(event)
        } else if (happens.kind === 'count') {
          holdings.setCounts(happens.node, happens.counts)
          if (happens.counts) counting.add(happens.node)
          else counting.delete(happens.node)
        } else {
          holdings.lose(happens.node)
          held[happens.node]?.clear()
        }
        const union = new Set([...counting].flatMap((each) => [...(held[each] ?? [])]))
        const whole = [...counting].filter((each) => held[each]?.size === union.size).length
        expect(holdings.union).toBe(union.size)
        expect(holdings.countWhole()).toBe(whole)
        expect(holdings.isWhole).toBe(counting.size > 0 && whole === counting.size)
        expect(held.map((_, each) => holdings.heldBy(each))).toEqual(held.map(({ size }) => size))
      }
    })
  )
})

test('an accept is taken down once, and again after the disk was lost', () => {
  const holdings = new Holdings(1)
  const { event } = holdings.numberOf('a')
  expect(holdings.numberOf('a')).toEqual({ event, isNew: false })
  holdings.accept(event, 0, 5)
  holdings.accept(event, 0, 6)
  holdings.lose(0)
  holdings.accept(event, 0, 7)
  const { atUs } = holdings.accepts
  expect([atUs.length, atUs.at(0), atUs.at(1)]).toEqual([2, 5, 7])
})

test('winners are counted over the nodes that count', () => {
  const book = new WinnerBook(3)
  book.setCounts(0, true)
  book.setCounts(1, true)
  book.note(0, 'batch', 'x')
  expect(book.count()).toEqual({ decided: 1, agreed: 0, disputed: 0 })
  book.note(1, 'batch', 'y')
  book.note(2, 'batch', 'z')
  expect(book.count()).toEqual({ decided: 1, agreed: 0, disputed: 1 })
  book.note(1, 'batch', 'x')
  expect(book.count()).toEqual({ decided: 1, agreed: 1, disputed: 0 })
  book.setCounts(2, true)
  expect(book.count()).toEqual({ decided: 1, agreed: 0, disputed: 1 })
  book.lose(2)
  expect(book.count()).toEqual({ decided: 1, agreed: 0, disputed: 0 })
  book.setCounts(2, false)
  book.note(0, 'batch', null)
  book.note(1, 'batch', null)
  expect(book.count()).toEqual({ decided: 0, agreed: 0, disputed: 0 })
  expect([book.changes, book.knownTo(0)]).toEqual([3, 0])
})
