import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import type { BitcoinProvider } from '../bitcoin/provider.ts'
import { BitcoinCoreProvider } from './bitcoin-core.ts'
import { EsploraProvider } from './bitcoin-esplora.ts'
import { HeadersFileProvider } from './bitcoin-headers-file.ts'
import type { BitcoinSurroundings } from './bitcoin-rpc.ts'
import type { ProviderHealth } from '../verifier.ts'

/** A provider that also says how it has been. */
export interface BitcoinProviderClient extends BitcoinProvider {
  readonly health: ProviderHealth
}

/** The provider at an address of `rails.btc.<network>.providers`. Nothing is asked yet. */
export function createBitcoinProvider(
  address: BitcoinProviderAddress,
  surroundings: BitcoinSurroundings
): BitcoinProviderClient {
  if (address.kind === 'bitcoind') return new BitcoinCoreProvider(address, surroundings)
  if (address.kind === 'esplora') return new EsploraProvider(address, surroundings)
  return new HeadersFileProvider(address, surroundings)
}
