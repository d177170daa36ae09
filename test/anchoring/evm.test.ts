import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { createEvmAnchorer } from '../../src/timestamps/clients/evm-anchorer.ts'
import { parsePrivateKey } from '../../src/timestamps/clients/evm-draft.ts'
import { createEvmRpc } from '../../src/timestamps/clients/evm-rpc.ts'
import { createEvmVerifier } from '../../src/timestamps/evm/verifier.ts'
import { startAnvil } from '../support/anvil.ts'
import type { Anvil } from '../support/anvil.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import type { AnchoringNode } from './support.ts'
import { BATCH, SELF, announces, chainsIn, openAnchoring } from './support.ts'

/** Evidence on the chain is final with two blocks on top. */
function policyOn(chainId: string): EffectivePolicy {
  const policy = policyOf(SELF, [SELF])
  const namespaces = Object.fromEntries(
    Object.entries(policy.namespaces).map(([name, settings]) => [
      name,
      { ...settings, finality: { [chainId]: { depth: 2 } } }
    ])
  )
  return { ...policy, namespaces }
}

async function openOn(chain: Anvil): Promise<AnchoringNode> {
  const { chainId, url } = chain
  const privateKey = parsePrivateKey(chain.privateKey)
  if (privateKey === null) throw new Error('no private key')
  const providers = [createEvmRpc({ chainId, url, clock: systemClock })]
  const anchoring = await openAnchoring({
    policy: policyOn(chainId),
    anchorers: [createEvmAnchorer({ chainId, urls: [url], privateKey, clock: systemClock })],
    verifiers: [createEvmVerifier({ chainId, providers, k: 1 })]
  })
  onTestFinished(() => anchoring.node.close())
  await anchoring.node.seal({ ...BATCH, receipts: ['one'] })
  return anchoring
}

it('is made on a real chain, found final and announced; what a reorganisation took out is paid for once', async () => {
  const chain = await startAnvil()
  onTestFinished(() => chain.stop())
  const { node } = await openOn(chain)
  const first = await node.anchor({ ...BATCH, rail: 'evm' })
  expect(first).toMatchObject({ state: 'under-way', chainId: chain.chainId, evidenceId: null })
  await chain.mine()
  const [inBlock] = await node.upgradeAnchors({})
  expect(inBlock).toMatchObject({ state: 'under-way', detail: 'is not final yet: 0 of 2' })
  const txHash = inBlock?.evidenceId ?? ''
  expect(txHash).toMatch(/^[0-9a-f]{64}$/)

  await chain.reorganise(1)
  await chain.mine(3)
  const [gone] = await node.upgradeAnchors({})
  expect(gone).toMatchObject({ state: 'under-way', code: 'EVM_NOT_FOUND', evidenceId: null })
  expect(await announces(node)).toEqual([])

  await node.upgradeAnchors({})
  await chain.mine(3)
  const [announced] = await node.upgradeAnchors({})
  expect(announced).toMatchObject({ state: 'announced', evidenceId: txHash })
  expect((await announces(node)).map(chainsIn)).toEqual([[chain.chainId]])
  expect(await chain.rpc('eth_getTransactionCount', `0x${chain.address.replace(/^0x/, '')}`, 'latest')).toBe('0x1')
  const { rows } = await node.query('anchorings', { namespace: NAMESPACE })
  expect(rows).toMatchObject([{ status: 'announced', attempts: 2, evidenceId: txHash }])
})
