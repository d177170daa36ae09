import { expect, test } from 'vitest'
import { firstPack, openMachines, raiseThreshold, share } from './organisation.ts'
import type { Machine } from './organisation.ts'

const FROZEN = /two valid packs of this organisation stand at number 3\b.*anchormesh trust pin org-vault 3 HASH/

test('two packs at one number are told in the status of those that hold both', async () => {
  const machines = await openMachines(['a', 'b', 'c'])
  const [a, b, c] = machines as [Machine, Machine, Machine]
  await firstPack(machines)
  await raiseThreshold(a, b, c)
  const kid = b.self.signer.kid
  const one = await b.node.signPack((await a.node.draftPack({ with: [kid] })).draft)
  // The machine that signs both is told so, and does it all the same.
  const two = await b.node.signPack((await c.node.draftPack({ with: [kid], validDays: 7 })).draft, {
    discardDraft: true
  })
  await a.node.completePack(one.draft)
  await c.node.completePack(two.draft)
  expect((await a.node.signers()).isFrozen).toBe(false)
  expect((await a.node.status()).warnings.filter((text) => FROZEN.test(text))).toEqual([])
  await share(c, a)
  expect((await a.node.signers()).isFrozen).toBe(true)
  expect((await a.node.status()).warnings).toContainEqual(expect.stringMatching(FROZEN))
})
