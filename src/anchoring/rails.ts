import { AnchormeshError } from '../platform/errors.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { Anchorer, RailName } from './anchorer.ts'

/** What the rails of the command line are called in chain ids. */
const CHAIN_PREFIX: Readonly<Record<RailName, string>> = { tsa: 'rfc3161:', btc: 'btc:', evm: 'eip155:' }

/** What has to stand in `federation.yaml` for a rail to be usable. */
const RAIL_KEYS: Readonly<Record<RailName, string>> = {
  tsa: 'an authority under rails.rfc3161, with its url and roots',
  btc: 'a wallet or calendars under rails.btc.<network>',
  evm: 'an account under rails.eip155.<chain id>'
}

/** Where evidence is asked for: on a chain of the rail, or on the first one that is configured and counts. */
export interface RailRequest {
  readonly namespace: string
  readonly rail: RailName
  /** Whole (`eip155:1`) or without the name of the rail (`1`, `freetsa`, `mainnet`). */
  readonly chainId?: string
}

/**
 * Who makes evidence for the namespace on the rail: of several chains the first in byte order of the chain ids. Throws
 * `RAIL_NOT_CONFIGURED`, with what to write into `federation.yaml`, for a chain that nobody here can make evidence on,
 * or on which evidence does not count in the namespace.
 */
export function chooseAnchorer(
  { namespace, rail, chainId }: RailRequest,
  anchorers: readonly Anchorer[],
  policy: PolicyView
): Anchorer {
  const ofRail = anchorers
    .filter((anchorer) => anchorer.rail === rail)
    .toSorted((left, right) => (left.chainId < right.chainId ? -1 : 1))
  const wanted =
    chainId === undefined || chainId.startsWith(CHAIN_PREFIX[rail]) ? chainId : CHAIN_PREFIX[rail] + chainId
  const able = wanted === undefined ? ofRail : ofRail.filter((anchorer) => anchorer.chainId === wanted)
  if (able.length === 0) throw notConfigured(rail, wanted, ofRail)
  const counting = able.find((anchorer) => policy.finality(namespace, anchorer.chainId) !== undefined)
  if (counting !== undefined) return counting
  const chains = able.map((anchorer) => anchorer.chainId).join(', ')
  throw new AnchormeshError('RAIL_NOT_CONFIGURED', `evidence on ${chains} would not count in ${namespace}`, {
    hint: `Add the chain to namespaces.${namespace}.finality in federation.yaml, on every node, and reload it.`,
    detail: { namespace, rail, chains: able.map((anchorer) => anchorer.chainId) }
  })
}

function notConfigured(rail: RailName, chainId: string | undefined, others: readonly Anchorer[]): AnchormeshError {
  const known = others.map((anchorer) => anchorer.chainId).join(', ')
  const where = chainId === undefined ? `by the rail ${rail}` : `on ${chainId}`
  return new AnchormeshError('RAIL_NOT_CONFIGURED', `this node can not make evidence ${where}`, {
    hint:
      `federation.yaml has to name ${RAIL_KEYS[rail]}; then: anchormesh config reload.` +
      (known === '' ? '' : ` Configured for this rail: ${known}.`),
    detail: { rail, configured: others.map((anchorer) => anchorer.chainId) }
  })
}
