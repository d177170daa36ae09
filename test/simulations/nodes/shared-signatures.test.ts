import { expect, test } from 'vitest'
import { ownSignatures, sharedSignatures } from '../../../simulations/nodes/shared-signatures.ts'
import { restorePublicKey } from '../../../protocols/signature/v1/ed25519.ts'
import { utf8 } from '../../../protocols/primitives/bytes.ts'
import { signingInput } from '../../../protocols/signature/v1/jws.ts'
import type { SignatureJob } from '../../../src/platform/signature-verifiers.ts'
import { member } from '../../support/identities.ts'

const { signer } = member('signer')
const other = member('other').signer

async function jobs(): Promise<SignatureJob[]> {
  const payload = utf8('an event')
  const header = 'aGVhZGVy'
  const bare = {
    key: restorePublicKey(signer.publicKey),
    protected: null,
    payload,
    signature: await signer.sign(payload)
  }
  const headed = { ...bare, protected: header, signature: await signer.sign(signingInput(header, payload)) }
  return [bare, headed].flatMap((job) => [
    job,
    { ...job, key: restorePublicKey(other.publicKey) },
    { ...job, payload: utf8('an eventt') },
    { ...job, protected: job.protected === null ? header : null },
    { ...job, signature: job.signature.toReversed() }
  ])
}

test('shared verdicts are those that each node would find, asked once or again, remembered or not', async () => {
  const asked = await jobs()
  const expected = await ownSignatures.verify(asked)
  expect(expected.filter(Boolean)).toHaveLength(2)
  for (const remembered of [1, 3, 1_000]) {
    const shared = sharedSignatures(remembered)
    for (const order of [asked, asked.toReversed(), asked])
      expect(await shared.verify(order)).toEqual(order.map((job) => expected[asked.indexOf(job)]))
  }
})
