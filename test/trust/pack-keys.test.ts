import { expect, test, vi } from 'vitest'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import * as ed25519 from '../../protocols/signature/v1/ed25519.ts'
import { packKeysOf } from '../../src/trust/pack-keys.ts'
import { member } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

vi.mock('../../protocols/signature/v1/ed25519.ts', async (importOriginal) => {
  const original = await importOriginal<typeof ed25519>()
  return { ...original, checkPublicKey: vi.fn<typeof original.checkPublicKey>(original.checkPublicKey) }
})

const ada = member('ada')

test('the keys that a pack gives its co-signers are checked when they are asked for, once each', async () => {
  const many = Array.from({ length: 60 }, (_, index) => ({ ...member(`co-${index}`).signer, kid: `co-${index}` }))
  const weak = { ...member('weak').signer, kid: 'weak', publicKey: new Uint8Array(32) }
  const keys = [ada.signer, ...many, weak].map((key) => packKey(key))
  const pack = makePack({ orgId: ada.orgId, keys, signers: [ada.signer, ...many.slice(1), weak] })
  const { wire } = await packEvent(ada.signer, [ada.signer, ...many.slice(1), weak], pack)
  const decoded = decodeEvent(wire)
  if (!decoded.ok) throw new Error(decoded.detail)
  const check = vi.mocked(ed25519.checkPublicKey)
  const found = packKeysOf(decoded.event)
  expect(found('co-0')).toBeUndefined()
  expect(check).not.toHaveBeenCalled()
  expect([found('co-1')?.ok, packKeysOf(decoded.event)('co-1')?.ok, found('weak')?.ok]).toEqual([true, true, false])
  expect(check).toHaveBeenCalledTimes(2)
})
