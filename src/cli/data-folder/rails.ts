import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Anchorer } from '../../anchoring/anchorer.ts'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import { parseBitcoinProvider } from '../../policy/bitcoin-provider.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { EffectivePolicy } from '../../policy/policy.ts'
import { authorityPolicy } from '../../policy/policy-view.ts'
import { createBitcoinVerifier } from '../../timestamps/bitcoin/verifier.ts'
import { createBitcoinProvider } from '../../timestamps/clients/bitcoin-provider.ts'
import { createBitcoinWalletAnchorer } from '../../timestamps/clients/bitcoin-wallet-anchorer.ts'
import { createEvmAnchorer } from '../../timestamps/clients/evm-anchorer.ts'
import { parsePrivateKey } from '../../timestamps/clients/evm-draft.ts'
import { createEvmRpc } from '../../timestamps/clients/evm-rpc.ts'
import { createCalendarAnchorer } from '../../timestamps/clients/open-timestamps-anchorer.ts'
import { createTsaAnchorer } from '../../timestamps/clients/tsa-anchorer.ts'
import { createEvmVerifier } from '../../timestamps/evm/verifier.ts'
import { createRfc3161Verifier } from '../../timestamps/rfc3161/verifier.ts'
import type { ProviderHealth, TimestampVerifier } from '../../timestamps/verifier.ts'

/** What checks timestamp anchors, and what makes them, as `rails` of a configuration says. */
export interface ConfiguredRails {
  readonly verifiers: readonly TimestampVerifier[]
  readonly anchorers: readonly Anchorer[]
}

interface RailPorts {
  /** The data folder, where files with relative names are looked for. */
  readonly folder: string
  readonly clock: Clock
  readonly random: Random
}

type Rails = FederationConfig['rails']

/**
 * Puts together what `rails` describes; nobody is asked yet. Throws `CONFIG_INVALID` for an account's key file that
 * can't be used.
 */
export async function configuredRails(
  { rails }: FederationConfig,
  policy: EffectivePolicy,
  ports: RailPorts
): Promise<ConfiguredRails> {
  const bitcoin = Object.entries(rails.btc).map(([network, settings]) => bitcoinRail(network, settings, ports))
  const evm = await Promise.all(
    Object.entries(rails.eip155).map(([chain, settings]) => evmRail(chain, settings, ports))
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

function bitcoinRail(network: string, settings: Rails['btc'][string], { folder, clock }: RailPorts): Rail {
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

async function evmRail(chain: string, settings: Rails['eip155'][string], ports: RailPorts): Promise<Rail> {
  const { rpc, k, account } = settings
  const { clock } = ports
  const chainId = `eip155:${chain}`
  const providers = rpc.map((url) => createEvmRpc({ chainId, url, clock }))
  const verifier = withHealth(createEvmVerifier({ chainId, providers, k }), providers)
  if (account === undefined) return { verifier, anchorers: [] }
  const { keyFile, contract } = account
  const privateKey = await readPrivateKey(chain, resolve(ports.folder, keyFile))
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

/** The bits of a file's mode that let others than its owner in. */
const OTHERS = 0o077

async function readPrivateKey(chain: string, file: string): Promise<Uint8Array> {
  const refused = (why: string, hint: string): AnchormeshError =>
    new AnchormeshError('CONFIG_INVALID', `rails.eip155.${chain}.account.keyFile: ${file} ${why}`, { hint })
  const form = 'It holds the private key of the account that pays, as 64 hex digits.'
  let mode: number
  let text: string
  try {
    mode = (await stat(file)).mode
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw refused(`can't be read: ${messageOf(error)}`, form)
  }
  if ((mode & OTHERS) !== 0) throw refused('can be read by others', `Run: chmod 600 ${file}`)
  const privateKey = parsePrivateKey(text)
  if (privateKey === null) throw refused('holds no private key', form)
  return privateKey
}
