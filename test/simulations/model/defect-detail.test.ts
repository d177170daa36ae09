import { expect, test } from 'vitest'
import { detailOf } from '../../../simulations/model/defect-detail.ts'

test('what is told of an error is the same wherever the project and its packages stand', () => {
  const told = detailOf(new Error('it failed'))
  expect(told).toMatch(/^Error: it failed\n +at .*test\/simulations\/model\/defect-detail\.test\.ts:/)
  expect(told).toContain('node_modules/')
  expect(told).not.toMatch(/(?:file:\/\/|[ (])\/|node:/)
  expect(detailOf('only a text')).toBe('only a text')
})
