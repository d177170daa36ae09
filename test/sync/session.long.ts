import { test } from 'vitest'
import { checkSessions } from './session-property.ts'

test('500 pairs of sides with any lag on either hold the union after one session', async () => {
  await checkSessions(500)
})
