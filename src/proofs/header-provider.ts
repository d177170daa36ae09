import type { BitcoinProvider } from '../timestamps/bitcoin/provider.ts'

/**
 * A provider that knows one header and nothing of the chain around it: it says that the block is the tip, so that a
 * verifier checks the evidence against the header and then finds it not final. Whether the block is in the best chain
 * is left open.
 */
export function headerProvider(header: Uint8Array): BitcoinProvider {
  return {
    name: 'the header in the file',
    place: (blockHash, blockHeight) =>
      Promise.resolve({ ok: true, value: { header, hashAtHeight: blockHash, tipHeight: blockHeight } })
  }
}
