import { z } from 'zod'
import { BITCOIN_NETWORK_NAMES } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { parseBitcoinProvider } from './bitcoin-provider.ts'
import { DAY_MS, count, httpUrl, listOf, milliseconds, text } from './schema-values.ts'

/** One server is one provider, however often it is named: without credentials, keys in queries, and slashes at the end. */
function serverOf(provider: string): string {
  const address = provider.replace(/^bitcoind\+/, '')
  if (address.startsWith('file:') || !URL.canParse(address)) return address
  const { host, pathname } = new URL(address)
  return `${host}${pathname.replace(/\/+$/, '')}`
}

/** `k` answers must agree, so there must be that many to ask. */
function enoughProviders(key: string) {
  return (value: { k: number } & Record<string, unknown>, context: z.RefinementCtx): void => {
    const given = new Set((value[key] as readonly string[]).map(serverOf)).size
    if (value.k > given) {
      context.addIssue({ code: 'custom', path: ['k'], message: `asks for ${value.k} of ${given} ${key}` })
    }
  }
}

/** Esplora: `https://…`; Bitcoin Core: `bitcoind+http://…`, or `http://user:password@…`; known headers: `file:PATH`. */
const btcProvider = text.refine(
  (provider) => parseBitcoinProvider(provider) !== null,
  'is no provider (https://… of an Esplora API, bitcoind+http://USER:PASSWORD@HOST:PORT of Bitcoin Core, or file:PATH of known headers)'
)

const btcNetwork = z
  .string()
  .refine(
    (name) => BITCOIN_NETWORK_NAMES.includes(name),
    `is not a Bitcoin network (${BITCOIN_NETWORK_NAMES.join(', ')})`
  )
const evmChainId = z.string().regex(/^[1-9][0-9]{0,31}$/, 'is not an EVM chain id (a positive whole number)')
const evmAddress = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'is not an address (0x and 40 hex digits)')
const oid = z
  .string()
  .regex(/^[0-2](?:\.(?:0|[1-9][0-9]{0,38})){1,63}$/, 'is not an object identifier (such as 1.2.3.4)')
const tsaName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is not a name (lower-case letters, digits, . _ -; at most 64)')

/** How timestamp anchors are checked and made: `rails` of `federation.yaml`. */
export const rails = z.strictObject({
  btc: z
    .record(
      btcNetwork,
      z
        .strictObject({
          providers: listOf(btcProvider, 'provider').min(1, 'is empty'),
          k: count(1, 100).default(1),
          // The Bitcoin Core wallet that pays for OP_RETURN transactions; its URL may end with /wallet/NAME.
          wallet: text
            .refine(
              (url) => parseBitcoinProvider(url)?.kind === 'bitcoind',
              'is not the URL of a Bitcoin Core node (bitcoind+http://USER:PASSWORD@HOST:PORT/wallet/NAME)'
            )
            .exactOptional(),
          // OpenTimestamps calendars, which anchor for nothing where there is no wallet.
          calendars: listOf(httpUrl, 'calendar').default([])
        })
        .superRefine(enoughProviders('providers'))
    )
    .default({}),
  eip155: z
    .record(
      evmChainId,
      z
        .strictObject({
          rpc: listOf(httpUrl, 'provider').min(1, 'is empty'),
          k: count(1, 100).default(1),
          // The account that pays for anchoring transactions: a file with its private key as 64 hex digits, mode 0600.
          account: z.strictObject({ keyFile: text, contract: evmAddress.exactOptional() }).exactOptional()
        })
        .superRefine(enoughProviders('rpc'))
    )
    .default({}),
  rfc3161: z
    .record(
      tsaName,
      z.strictObject({
        url: httpUrl,
        roots: listOf(text, 'file').min(1, 'is empty'),
        // Of authorities whose tokens come without them: what leads from the signing certificate to a root.
        certificates: listOf(text, 'file').default([]),
        // The policies (OIDs) that a token may be issued under; any, if none is named.
        policies: listOf(oid, 'policy').default([]),
        // How far off a token may say that its time can be; as it likes, if not given.
        accuracyMsMax: milliseconds(1, DAY_MS).exactOptional()
      })
    )
    .default({})
})
