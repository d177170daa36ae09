import { expect, test } from 'vitest'
import { TOKEN_LIVES_MS } from '../../protocols/delivery/v1/request.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { ChallengeTokens, TOKENS_MAX, TOKENS_OF_NODE_MAX } from '../../src/deliveries/challenge-tokens.ts'
import { createHandClock } from '../support/hand-clock.ts'

function tokens(): { readonly book: ChallengeTokens; readonly clock: ReturnType<typeof createHandClock> } {
  const clock = createHandClock()
  return { book: new ChallengeTokens({ clock, random: seededRandom('tokens') }), clock }
}

const tokenOf = (book: ChallengeTokens, did: string): string => book.give(did)?.token ?? ''

test('a token serves its DID once, for as long as it lives, whatever is done to the wall clock', async () => {
  const { book, clock } = tokens()
  const [first, second] = [book.give('a'), book.give('a')]
  expect(first?.expiresAt).toBe(clock.now() + TOKEN_LIVES_MS)
  clock.setNow(clock.now() + 10 * TOKEN_LIVES_MS)
  expect(book.take(first?.token ?? '', 'b')).toBe('TOKEN_INVALID')
  await clock.advance(TOKEN_LIVES_MS - 1)
  expect(book.take(first?.token ?? '', 'a')).toBe('taken')
  expect(book.take(first?.token ?? '', 'a')).toBe('TOKEN_INVALID')
  await clock.advance(1)
  expect(book.take(second?.token ?? '', 'a')).toBe('TOKEN_EXPIRED')
  expect(book.take(second?.token ?? '', 'b')).toBe('TOKEN_INVALID')
  await clock.advance(TOKEN_LIVES_MS)
  expect(book.take(second?.token ?? '', 'a')).toBe('TOKEN_INVALID')
})

test('who asks for more than it may have loses its oldest, and nobody else’s', () => {
  const { book } = tokens()
  const other = tokenOf(book, 'b')
  const given = Array.from({ length: TOKENS_OF_NODE_MAX + 1 }, () => tokenOf(book, 'a'))
  expect(given.map((token) => book.take(token, 'a'))).toEqual([
    'TOKEN_INVALID',
    ...Array.from({ length: TOKENS_OF_NODE_MAX }, () => 'taken')
  ])
  expect(book.take(other, 'b')).toBe('taken')
})

test('when all are given out nobody gets another, until some are too old', async () => {
  const { book, clock } = tokens()
  for (let index = 0; index < TOKENS_MAX; index += 1) book.give(`node ${index % (TOKENS_MAX / TOKENS_OF_NODE_MAX)}`)
  expect(book.give('late')).toBeNull()
  // Who has tokens exchanges them, and takes none from others.
  expect(book.give('node 0')).not.toBeNull()
  await clock.advance(2 * TOKEN_LIVES_MS)
  expect(book.give('late')).not.toBeNull()
})
