import { urlCredentials } from './url-credentials.ts'

/** Where the headers of a Bitcoin network can be had. */
export type BitcoinProviderAddress =
  /** An Esplora-style REST API; `url` has no slash at the end. */
  | { readonly kind: 'esplora'; readonly url: string }
  /** The JSON-RPC of Bitcoin Core. `url` is without credentials, which stand beside it, or in a cookie file. */
  | {
      readonly kind: 'bitcoind'
      readonly url: string
      readonly credentials:
        { readonly user: string; readonly password: string } | { readonly cookieFile: string } | null
    }
  /** A file of headers that somebody checked. Relative names are looked for in the data folder. */
  | { readonly kind: 'headers'; readonly file: string }

const BITCOIND = 'bitcoind+'
const HEADERS = 'file:'

/**
 * Reads a provider as `rails.btc` names it: `https://HOST/api` (Esplora), `bitcoind+http://USER:PASSWORD@HOST:PORT` or
 * `bitcoind+http://HOST:PORT?cookie=FILE` (Bitcoin Core; `bitcoind+` may be left out where there is a user name, which
 * no Esplora API has), `file:PATH` (known headers). `null` for anything else.
 */
export function parseBitcoinProvider(text: string): BitcoinProviderAddress | null {
  if (text.startsWith(HEADERS)) {
    const file = text.slice(HEADERS.length)
    return file === '' ? null : { kind: 'headers', file }
  }
  const named = text.startsWith(BITCOIND)
  const address = named ? text.slice(BITCOIND.length) : text
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.hash !== '') return null
  if (!named && url.username === '') {
    return url.search === '' ? { kind: 'esplora', url: url.href.replace(/\/+$/, '') } : null
  }
  const cookieFile = url.searchParams.get('cookie')
  if ([...url.searchParams.keys()].some((name) => name !== 'cookie') || cookieFile === '') return null
  if (cookieFile !== null && url.username !== '') return null
  const given = urlCredentials(url)
  if (given === null) return null
  url.username = ''
  url.password = ''
  url.search = ''
  const credentials = cookieFile !== null ? { cookieFile } : given.user === '' ? null : given
  return { kind: 'bitcoind', url: url.href.replace(/\/+$/, ''), credentials }
}
