import { test } from 'vitest'
import { crashesLoseNothing, followersKeepUp, ordersAgree, pastIsKept, policiesAgree } from './support/properties.ts'

test('orders agree', async () => {
  await ordersAgree(500)
})

test('policies agree', async () => {
  await policiesAgree(300)
})

test('crashes lose nothing', async () => {
  await crashesLoseNothing(400)
})

test('the past is kept', async () => {
  await pastIsKept(200)
})

test('followers keep up', async () => {
  await followersKeepUp(500)
})
