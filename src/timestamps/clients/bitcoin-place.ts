import { HEADER_BYTES } from '../../../protocols/bitcoin-evidence/v1/header.ts'
import { HASH_PATTERN } from '../../../protocols/event/v1/envelope.ts'
import { fromHex } from '../../../protocols/primitives/bytes.ts'
import type { BlockPlace } from '../bitcoin/provider.ts'
import type { ProviderAnswer } from '../provider.ts'
import type { ProviderHttp } from './provider-http.ts'

// A block comes every ten minutes. Only a node that is catching up has a new one each time that it is asked, and one
// that answers from several machines can have several tips.
const LOOKS_MAX = 3

/** Nodes take a height as a signed or unsigned 32-bit number and refuse more; no chain is as high. */
export const HEIGHT_ASKED_MAX = 2 ** 31 - 1

/** What was seen of a block's place, while the tip was the same before and after. */
export interface Look {
  readonly steady: boolean
  /** Hex, as the provider gave it. */
  readonly header: unknown
  readonly hashAtHeight: unknown
  readonly tipHeight: unknown
}

/**
 * Looks until the tip stays what it is, so that header, hash and tip are of one chain, and checks what was seen: forms
 * (`PROVIDER_MALFORMED`), and that the answers go with each other. Whether the header has the hash is for the verifier.
 */
export async function steadyPlace(
  http: ProviderHttp,
  { blockHash, blockHeight }: { readonly blockHash: string; readonly blockHeight: number },
  look: () => Promise<ProviderAnswer<Look>>
): Promise<ProviderAnswer<BlockPlace>> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const seen = await look()
    if (!seen.ok) return seen
    if (!seen.value.steady) continue
    const place = placeOf(seen.value)
    if (place === null) return http.failure('PROVIDER_MALFORMED', 'gave no header, hash or height')
    if ((place.hashAtHeight === null) !== blockHeight > place.tipHeight) {
      return http.failure('PROVIDER_MALFORMED', `contradicts itself about the block at height ${blockHeight}`)
    }
    if (place.header === null && place.hashAtHeight === blockHash) {
      return http.failure('PROVIDER_MALFORMED', `has block ${blockHash} in its chain, but not its header`)
    }
    return { ok: true, value: place }
  }
  return http.failure('PROVIDER_UNREACHABLE', 'had another tip each time that it was asked')
}

function placeOf({ header, hashAtHeight, tipHeight }: Look): BlockPlace | null {
  const bytes = typeof header === 'string' ? fromHex(header) : null
  if (header !== null && bytes?.length !== HEADER_BYTES) return null
  if (hashAtHeight !== null && !isBlockHash(hashAtHeight)) return null
  return isHeight(tipHeight) ? { header: bytes, hashAtHeight, tipHeight } : null
}

/** Whether the value is a block's hash as Bitcoin's tools print it. */
export function isBlockHash(value: unknown): value is string {
  return typeof value === 'string' && HASH_PATTERN.test(value)
}

/** Whether the value can be a block's height. */
export function isHeight(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
