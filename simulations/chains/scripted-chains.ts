import type { Anchorer } from '../../src/anchoring/anchorer.ts'
import type { TimestampVerifier } from '../../src/timestamps/verifier.ts'

/** Chains that do as a scenario says: blocks come in virtual time, and can be taken back. */
export interface ScriptedChains {
  /** What a node checks evidence with; `node` is its name, for chains that are away for some. */
  verifiersOf(node: string): readonly TimestampVerifier[]
  /** What a node makes evidence with. */
  anchorersOf(node: string): readonly Anchorer[]
  /** Takes the last `depth` blocks back; others come in their place, without what stood in them. */
  reorganise(chainId: string, depth: number): void
  /** Whether the nodes can reach the chain. */
  setReachable(chainId: string, nodes: readonly string[], isReachable: boolean): void
}
