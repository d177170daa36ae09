import type { FederationConfig } from './config-schema.ts'

/** By the name that `sealing` gives a rail: its prefix in chain ids, and what its evidence is made with. */
const RAILS = {
  tsa: { prefix: 'rfc3161', needed: 'an authority under rails.rfc3161' },
  btc: { prefix: 'btc', needed: 'a network under rails.btc that has a wallet or calendars' },
  evm: { prefix: 'eip155', needed: 'a chain under rails.eip155 that has an account' }
} as const

/** What is wrong, and the path in `federation.yaml` that leads to it. */
interface RailProblem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/**
 * Rails that batches of a namespace are to be anchored on by schedule, and could never be: no receipt would be sealed.
 */
export function sealingRailProblems(federation: FederationConfig): readonly RailProblem[] {
  const carried = Object.entries(federation.sealing).flatMap(([namespace, { rails }]) => {
    const finality = federation.namespaces[namespace]?.finality
    return finality === undefined ? [] : [{ namespace, rails, finality }]
  })
  return carried.flatMap(({ namespace, rails, finality }) =>
    rails.flatMap((rail, index) => {
      const { prefix, needed } = RAILS[rail]
      const counts = (name: string): boolean =>
        Object.hasOwn(finality, `${prefix}:${name}`) || Object.hasOwn(finality, `${prefix}:*`)
      if (namesWithMeans(rail, federation).some(counts)) return []
      const path = ['sealing', namespace, 'rails', index]
      const message = `${rail} needs ${needed}, on a chain that namespaces.${namespace}.finality lists`
      return [{ path, message }]
    })
  )
}

/** The chains of a rail that this node can make evidence on, without the prefix. */
function namesWithMeans(rail: keyof typeof RAILS, { rails }: FederationConfig): readonly string[] {
  if (rail === 'tsa') return Object.keys(rails.rfc3161)
  if (rail === 'evm') return Object.keys(rails.eip155).filter((name) => rails.eip155[name]?.account !== undefined)
  return Object.entries(rails.btc)
    .filter(([, { wallet, calendars }]) => wallet !== undefined || calendars.length > 0)
    .map(([name]) => name)
}
