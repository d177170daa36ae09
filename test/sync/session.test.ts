import { test } from 'vitest'
import { checkSessions } from './session-property.ts'

test('two sides with any lag on either hold the union after one session, and nothing was sent that was held', async () => {
  // Ten times as many are in the long tests.
  await checkSessions(50)
})
