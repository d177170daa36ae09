import { test } from 'vitest'
import { ordersAgree } from './support/properties.ts'

test('whatever the order and the grouping, shared fields and digests are the same, a rebuild changes nothing, and both are what the set says', async () => {
  await ordersAgree(20)
})
