import { expect, test } from 'vitest'
import { Rejections } from '../../../simulations/nodes/noting-rejections.ts'
import { silentLogger } from '../../../src/platform/logger.ts'

test('each rejected event is noted once for each code, also where the door logs no more warnings', () => {
  const rejections = new Rejections()
  const logger = rejections.notedBy(silentLogger).child({})
  logger.warn({ outcome: 'rejected(CHAIN_BROKEN)', id: 'a' }, 'event rejected')
  logger.debug({ outcome: 'rejected(SIGNATURE_INVALID)', id: 'a' }, 'event rejected')
  logger.debug({ outcome: 'rejected(CHAIN_BROKEN)', id: 'b' }, 'event rejected')
  logger.debug({ outcome: 'rejected(CHAIN_BROKEN)', id: 'b' }, 'event rejected')
  logger.debug({ outcome: 'accepted', id: 'c' }, 'event')
  logger.warn({ outcome: 'rejected(MALFORMED)', id: null }, 'event rejected')
  expect(rejections.all).toEqual([
    { id: 'a', code: 'CHAIN_BROKEN' },
    { id: 'a', code: 'SIGNATURE_INVALID' },
    { id: 'b', code: 'CHAIN_BROKEN' }
  ])
})
