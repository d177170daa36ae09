import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import type { DevelopmentTsa } from '../../timestamps/clients/development-tsa.ts'
import { editSettings } from '../data-folder/config-edit.ts'
import { dataPaths } from '../data-folder/paths.ts'
import type { BitcoinChain } from './bitcoin-chain.ts'
import type { DemoNode } from './demo-node.ts'
import type { EvmChain } from './evm-chain.ts'

/** Where the demo timestamps, all on this machine. */
export interface Rails {
  readonly tsa: DevelopmentTsa
  /** `null` where anvil is not installed, as below somebody else's node_modules. */
  readonly evm: EvmChain | null
  /** `null` without `--bitcoind`. */
  readonly bitcoin: BitcoinChain | null
}

/** The authority's name in `rfc3161:<tsa>`. */
export const TSA_NAME = 'demo-tsa'

/** A Bitcoin chain that one mines oneself. */
export const BITCOIN_CHAIN = 'btc:regtest'

/** Blocks on top of a timestamp anchor; one is enough where nobody else mines. */
export const BITCOIN_DEPTH = 1
const EVM_DEPTH = 1

const ROOT_FILE = 'demo-tsa.pem'
const ACCOUNT_FILE = 'evm-account.key'

/**
 * Tells a node of the rails, before it starts: all are told how to check, and `payer` with what to pay.
 */
export async function configureRails(
  { folder }: DemoNode,
  namespace: string,
  { tsa, evm, bitcoin }: Rails,
  { payer }: { readonly payer: boolean }
): Promise<void> {
  const paths = dataPaths(folder)
  await writeFile(join(paths.tsaRoots, ROOT_FILE), tsa.rootCertificatePem)
  const privateKey = payer ? evm?.privateKeys[0] : undefined
  if (privateKey !== undefined) await writeFile(join(paths.folder, ACCOUNT_FILE), privateKey, { mode: 0o600 })
  const account = payer ? { account: { keyFile: ACCOUNT_FILE } } : {}
  const wallet = payer && bitcoin !== null ? { wallet: bitcoin.wallet } : {}
  const rails: JsonValue = {
    rfc3161: { [TSA_NAME]: { url: tsa.url, roots: [ROOT_FILE] } },
    ...(evm === null ? {} : { eip155: { [evm.chainId.slice('eip155:'.length)]: { rpc: [evm.url], ...account } } }),
    ...(bitcoin === null ? {} : { btc: { regtest: { providers: [bitcoin.provider], ...wallet } } })
  }
  const finality: JsonValue = {
    [BITCOIN_CHAIN]: { depth: BITCOIN_DEPTH },
    ...(evm === null ? {} : { [evm.chainId]: { depth: EVM_DEPTH } }),
    'rfc3161:*': {}
  }
  const settings = [
    { path: ['namespaces', namespace, 'finality'], value: finality },
    { path: ['rails'], value: rails }
  ]
  await writeFile(paths.federation, editSettings(await readFile(paths.federation, 'utf8'), settings))
}
