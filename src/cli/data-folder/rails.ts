import type { Anchorer } from '../../anchoring/anchorer.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import { parseBitcoinProvider } from '../../policy/bitcoin-provider.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import { authorityPolicy } from '../../policy/policy-view.ts'
import { createBitcoinVerifier } from '../../timestamps/bitcoin/verifier.ts'
import { createBitcoinProvider } from '../../timestamps/clients/bitcoin-provider.ts'
import { createBitcoinWalletAnchorer } from '../../timestamps/clients/bitcoin-wallet-anchorer.ts'
import { createEvmAnchorer } from '../../timestamps/clients/evm-anchorer.ts'
import { createEvmRpc } from '../../timestamps/clients/evm-rpc.ts'
import { createCalendarAnchorer } from '../../timestamps/clients/open-timestamps-anchorer.ts'
import { createTsaAnchorer } from '../../timestamps/clients/tsa-anchorer.ts'
import { createEvmVerifier } from '../../timestamps/evm/verifier.ts'
import { createRfc3161Verifier } from '../../timestamps/rfc3161/verifier.ts'
import type { ProviderHealth, TimestampVerifier } from '../../timestamps/verifier.ts'
import type { PayingAccount } from './account-keys.ts'
import type { LoadedConfig } from './load-config.ts'

/** What checks timestamp anchors, and what makes them, as `rails` of a configuration says. */
export interface ConfiguredRails {
  readonly verifiers: readonly TimestampVerifier[]
  readonly anchorers: readonly Anchorer[]
}

/** What of a configuration says so. */
type RailsConfig = Pick<LoadedConfig, 'folder' | 'federation' | 'policy' | 'payingAccounts'>

interface RailPorts {
  readonly clock: Clock
  readonly random: Random
}

type Rails = FederationConfig['rails']

/** Puts together what `rails` describes; nobody is asked yet. */
export function configuredRails(
  { folder, federation: { rails }, policy, payingAccounts }: RailsConfig,
  ports: RailPorts
): ConfiguredRails {
  const bitcoin = Object.entries(rails.btc).map(([network, settings]) =>
    bitcoinRail(network, settings, { folder, clock: ports.clock })
  )
  const evm = Object.entries(rails.eip155).map(([chain, settings]) =>
    evmRail(chain, settings, payingAccounts.get(chain), ports)
  )
  return {
    verifiers: [
      ...bitcoin.map(({ verifier }) => verifier),
      ...evm.map(({ verifier }) => verifier),
      createRfc3161Verifier((tsa) => authorityPolicy(policy, tsa))
    ],
    anchorers: [
      ...bitcoin.flatMap(({ anchorers }) => anchorers),
      ...evm.flatMap(({ anchorers }) => anchorers),
      ...Object.entries(rails.rfc3161).map(([tsa, { url }]) => createTsaAnchorer({ tsa, url, ...ports }))
    ]
  }
}

interface Rail {
  readonly verifier: TimestampVerifier
  readonly anchorers: readonly Anchorer[]
}

function bitcoinRail(
  network: string,
  settings: Rails['btc'][string],
  { folder, clock }: { readonly folder: string; readonly clock: Clock }
): Rail {
  const { k, wallet, calendars } = settings
  const surroundings = { network, folder, clock }
  const providers = settings.providers.map((provider) => createBitcoinProvider(addressOf(provider), surroundings))
  return {
    verifier: withHealth(createBitcoinVerifier({ network, providers, k }), providers),
    anchorers: bitcoinAnchorers()
  }

  /** One for each network: the wallet, where there is one, because it is done within the hour. */
  function bitcoinAnchorers(): readonly Anchorer[] {
    const address = wallet === undefined ? null : addressOf(wallet)
    if (address?.kind === 'bitcoind') return [createBitcoinWalletAnchorer(address, surroundings)]
    return calendars.length === 0 ? [] : [createCalendarAnchorer({ network, calendars, providers, clock })]
  }
}

function evmRail(
  chain: string,
  { rpc, k, account }: Rails['eip155'][string],
  paying: PayingAccount | undefined,
  { clock }: RailPorts
): Rail {
  const chainId = `eip155:${chain}`
  const providers = rpc.map((url) => createEvmRpc({ chainId, url, clock }))
  const verifier = withHealth(createEvmVerifier({ chainId, providers, k }), providers)
  if (account === undefined || paying === undefined) return { verifier, anchorers: [] }
  const { contract } = account
  const { privateKey } = paying
  const to = contract === undefined ? {} : { contract }
  return { verifier, anchorers: [createEvmAnchorer({ chainId, urls: rpc, privateKey, clock, ...to })] }
}

/** The schema has let nothing else through. */
function addressOf(provider: string): BitcoinProviderAddress {
  const address = parseBitcoinProvider(provider)
  if (address === null) throw new Error('a provider that is none')
  return address
}

function withHealth(
  verifier: TimestampVerifier,
  clients: readonly { readonly health: ProviderHealth }[]
): TimestampVerifier {
  return {
    name: verifier.name,
    handles: (chainId) => verifier.handles(chainId),
    verify: (request, signal) => verifier.verify(request, signal),
    health: () => clients.map(({ health }) => health)
  }
}
