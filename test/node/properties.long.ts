import { test } from 'vitest'
import { arrivalsAgree, meshesAgree } from './properties.ts'

test('arrivals agree', async () => {
  await arrivalsAgree(400)
})

test('meshes agree', async () => {
  await meshesAgree(200)
})
