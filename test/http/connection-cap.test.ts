import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConnectionBook } from '../../src/http/connection-cap.ts'

describe('connections are counted', () => {
  it('all together, and by blocks of addresses, of which one may have half', () => {
    const book = new ConnectionBook(4)
    const first = book.admit('192.0.2.1')
    expect([first, book.admit('::ffff:192.0.2.1')].every((release) => release !== null)).toBe(true)
    expect(book.admit('192.0.2.1')).toBeNull()
    expect(book.admit('2001:db8:0:1::1')).not.toBeNull()
    expect(book.admit('2001:db8:0:1:ffff::2')).not.toBeNull()
    expect([book.admit('2001:db8:0:2::1'), book.admitted]).toEqual([null, 4])
    first?.()
    expect(book.admit('2001:db8:0:1::3')).toBeNull()
    expect(book.admit('2001:db8:0:2::1')).not.toBeNull()
  })

  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('%s may have all', (address) => {
    const book = new ConnectionBook(3)
    expect([1, 2, 3].map(() => book.admit(address) !== null)).toEqual([true, true, true])
    expect(book.admit(address)).toBeNull()
  })

  it('and given back, to the last', () => {
    const addresses = fc.constantFrom('127.0.0.1', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.tuple(addresses, fc.nat())), (most, steps) => {
        const book = new ConnectionBook(most)
        const held: (() => void)[] = []
        for (const [address, choice] of steps) {
          if (choice % 3 === 0) held.splice(choice % Math.max(1, held.length), 1)[0]?.()
          const release = book.admit(address)
          if (release !== null) held.push(release)
          expect(book.admitted).toBe(held.length)
          expect(held.length).toBeLessThanOrEqual(most)
        }
        for (const release of held) release()
        expect(book.admitted).toBe(0)
        expect(book.admit('192.0.2.1')).not.toBeNull()
      })
    )
  })
})
