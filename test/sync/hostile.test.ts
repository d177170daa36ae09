import { expect, test } from 'vitest'
import { describeHostilePeers } from './hostile-cases.ts'
import { done, hostileWorld, RESPONDER_STATES } from './hostile-world.ts'

// All of them are in the long tests.
describeHostilePeers(4)

test('done with another count than came is a lie', async () => {
  const world = await hostileWorld()
  const session = await world.mallory.open(world.anna.self)
  await RESPONDER_STATES['transfer']?.(session, '')
  session.send(done(1))
  expect(await session.errorCode()).toBe('lied')
  expect(await world.penalties()).toBe(1)
  await world.anna.node.close()
})
