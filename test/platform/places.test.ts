import { expect, it } from 'vitest'
import { Places } from '../../src/platform/places.ts'

it('there are so many places in all, and so many for one holder', () => {
  const places = new Places({ all: 3, ofHolder: 2 })
  const [first, second] = [places.take('ada'), places.take('ada')]
  expect([first, second]).not.toContain(null)
  expect(places.take('ada')).toBeNull()
  expect(places.take('ben')).not.toBeNull()
  expect([places.take('cleo'), places.taken]).toEqual([null, 3])
  first?.()
  expect([places.take('cleo') === null, places.taken]).toEqual([false, 3])
  second?.()
  expect(places.take('ada')).not.toBeNull()
})

it('what nobody in particular holds counts among all alone', () => {
  const places = new Places({ all: 3, ofHolder: 1 })
  expect([places.take(null), places.take(null), places.take('ada')]).not.toContain(null)
  expect([places.take(null), places.take('ben')]).toEqual([null, null])
})
