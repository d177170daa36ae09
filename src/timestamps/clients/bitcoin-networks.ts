/** How a network is told from the others. */
export interface BitcoinNetwork {
  /** What Bitcoin Core calls it (`getblockchaininfo.chain`). */
  readonly coreName: string
  /** The hash of its first block, as Bitcoin's tools print it. */
  readonly genesisHash: string
}

/** The networks by their names in `btc:<network>`; the hashes are those of Bitcoin Core's `kernel/chainparams.cpp`. */
export const BITCOIN_NETWORKS: ReadonlyMap<string, BitcoinNetwork> = new Map([
  ['mainnet', { coreName: 'main', genesisHash: '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f' }],
  ['testnet', { coreName: 'test', genesisHash: '000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943' }],
  [
    'testnet4',
    { coreName: 'testnet4', genesisHash: '00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043' }
  ],
  // A signet of one's own has the same first block: its rules differ in who may sign blocks.
  ['signet', { coreName: 'signet', genesisHash: '00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6' }],
  ['regtest', { coreName: 'regtest', genesisHash: '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206' }]
])
