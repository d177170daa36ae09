import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { editSettings } from '../../src/cli/data-folder/config-edit.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import type { DevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { startAnvil } from './anvil.ts'
import type { Anvil } from './anvil.ts'
import type { Bitcoind } from './bitcoind.ts'

/** Blocks on top of a timestamp anchor of either chain before it is final. */
export const DEPTH = 2
export const TSA_CHAIN = 'rfc3161:dev'
export const BTC_CHAIN = 'btc:regtest'
export const EVM_CHAIN = 'eip155:31337'

/** Where a test timestamps: real parts, each a process or a server of its own. */
export interface RealRails {
  readonly tsa: DevelopmentTsa
  readonly anvil: Anvil
  /** `null` for tests that do without. */
  readonly bitcoind: Bitcoind | null
}

/** Starts an authority and an EVM chain that end with the test; the clock is the authority's. */
export async function startRails(clock: Clock, bitcoind: Bitcoind | null): Promise<RealRails> {
  const [tsa, anvil] = await Promise.all([
    startDevelopmentTsa({ clock, random: systemRandom }),
    // So that blocks are final by policy long before the chain itself calls them `finalized`, and nobody looks again.
    startAnvil({ slotsInAnEpoch: 32 })
  ])
  onTestFinished(async () => {
    await tsa.close()
    await anvil.stop()
  })
  return { tsa, anvil, bitcoind }
}

/** When evidence on these chains is final, as `namespaces.<name>.finality` says it. */
export const FINALITY: JsonObject = {
  'btc:*': { depth: DEPTH },
  [EVM_CHAIN]: { depth: DEPTH },
  'rfc3161:*': {}
}

/**
 * `rails` of a node, whose files are written to its data folder; only `payer` can make evidence on the chains, and
 * through `calendars` where they are named in the place of the wallet.
 */
export function railsIn(
  folder: string,
  { tsa, anvil, bitcoind }: RealRails,
  { payer, calendars }: { readonly payer: boolean; readonly calendars?: readonly string[] }
): JsonObject {
  const { tsaRoots } = dataPaths(folder)
  mkdirSync(tsaRoots, { recursive: true })
  writeFileSync(join(tsaRoots, 'dev.pem'), tsa.rootCertificatePem)
  if (payer) writeFileSync(join(folder, 'evm.key'), anvil.privateKey, { mode: 0o600 })
  const account = payer ? { account: { keyFile: 'evm.key' } } : {}
  return {
    eip155: { [EVM_CHAIN.slice('eip155:'.length)]: { rpc: [anvil.url], ...account } },
    rfc3161: { dev: { url: tsa.url, roots: ['dev.pem'] } },
    ...(bitcoind === null ? {} : { btc: { regtest: bitcoinOf(bitcoind) } })
  }

  function bitcoinOf({ providerAddress, walletAddress }: Bitcoind): JsonObject {
    const providers = { providers: [providerAddress] }
    if (!payer) return providers
    return calendars === undefined ? { ...providers, wallet: walletAddress } : { ...providers, calendars }
  }
}

/** Writes the rails, all of which the node can pay for, into the configuration of a data folder. */
export function configureFolder(
  folder: string,
  namespace: string,
  rails: RealRails,
  options: { readonly calendars?: readonly string[]; readonly evmUrl?: string; readonly sealing?: JsonObject } = {}
): void {
  const { federation } = dataPaths(folder)
  const { sealing, evmUrl = rails.anvil.url, ...calendars } = options
  const reached = { ...rails, anvil: { ...rails.anvil, url: evmUrl } }
  const settings = [
    { path: ['namespaces', namespace, 'finality'], value: FINALITY },
    { path: ['rails'], value: railsIn(folder, reached, { payer: true, ...calendars }) },
    ...(sealing === undefined ? [] : [{ path: ['sealing'], value: { [namespace]: sealing } }])
  ]
  writeFileSync(federation, editSettings(readFileSync(federation, 'utf8'), settings))
}
