import type { BitcoinProvider } from '../timestamps/bitcoin/provider.ts'

/**
 * A provider that knows one header (or none) and nothing of the chain around it: it says that the block is the tip (or
 * still to come), so that a verifier checks the evidence against the header and then finds it not final. Whether the
 * block is in the best chain is left open.
 */
export function headerProvider(header: Uint8Array | null): BitcoinProvider {
  return {
    name: 'the header in the file',
    place: (blockHash, blockHeight) =>
      Promise.resolve({
        ok: true,
        value:
          header === null
            ? { header, hashAtHeight: null, tipHeight: blockHeight - 1 }
            : { header, hashAtHeight: blockHash, tipHeight: blockHeight }
      })
  }
}
