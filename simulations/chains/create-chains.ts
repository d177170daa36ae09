import type { SeededRandom } from '../ports/seeded-random.ts'
import type { ChainRule } from '../scenario/schema.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import { ScriptedChain } from './scripted-chain.ts'
import type { ScriptedChains } from './scripted-chains.ts'
import { scriptedAnchorer } from './scripted-anchorer.ts'
import { scriptedVerifier } from './scripted-verifier.ts'
import type { ChainView } from './scripted-verifier.ts'

/** The chains of a scenario, which all of its nodes see alike but for those that can't reach them. */
export function createScriptedChains(
  rules: readonly Pick<ChainRule, 'chainId' | 'blockEvery'>[],
  { time, random }: { readonly time: Pick<VirtualTime, 'nowUs'>; readonly random: SeededRandom }
): ScriptedChains {
  const chains = new Map(
    rules.map(({ chainId, blockEvery }) => [
      chainId,
      new ScriptedChain(chainId, blockEvery, { nowUs: time.nowUs, random: random.fork(chainId) })
    ])
  )
  /** For whom a chain is away: `<chain> <node>`. */
  const away = new Set<string>()
  const known = (chainId: string): ScriptedChain => {
    const chain = chains.get(chainId)
    if (chain === undefined) throw new RangeError(`the scenario has no chain ${chainId}`)
    return chain
  }
  const viewOf = (chain: ScriptedChain, node: string): ChainView => ({
    chain,
    isReachable: () => !away.has(`${chain.chainId} ${node}`),
    nowUs: () => time.nowUs
  })
  return {
    verifiersOf: (node) => [...chains.values()].map((chain) => scriptedVerifier(viewOf(chain, node))),
    anchorersOf: (node) => [...chains.values()].map((chain) => scriptedAnchorer(viewOf(chain, node), node)),
    reorganise: (chainId, depth) => known(chainId).reorganise(depth, time.nowUs),
    setReachable(chainId, nodes, isReachable) {
      known(chainId)
      for (const node of nodes) {
        if (isReachable) away.delete(`${chainId} ${node}`)
        else away.add(`${chainId} ${node}`)
      }
    }
  }
}
