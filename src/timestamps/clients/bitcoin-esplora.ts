import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import type { BitcoinProvider, BlockPlace } from '../bitcoin/provider.ts'
import type { ProviderAnswer } from '../provider.ts'
import { BITCOIN_NETWORKS } from './bitcoin-networks.ts'
import { HEIGHT_ASKED_MAX, isBlockHash, steadyPlace } from './bitcoin-place.ts'
import type { Look } from './bitcoin-place.ts'
import type { BitcoinSurroundings } from './bitcoin-rpc.ts'
import { ProviderHttp } from './provider-http.ts'
import type { ProviderHealth } from '../verifier.ts'

// The longest answer that is asked for is a header in hex. What is longer is a page for people.
const ANSWER_CHARS_MAX = 200

/**
 * An Esplora-style REST API that tells where blocks stand: `/blocks/tip/hash`, `/blocks/tip/height`,
 * `/block-height/:height` and `/block/:hash/header`, each of which answers with plain text, or with status 404 for a
 * block that it does not have.
 */
export class EsploraProvider implements BitcoinProvider {
  readonly #url: string
  readonly #http: ProviderHttp
  readonly #network: string
  #isChainKnown = false

  constructor({ url }: Extract<BitcoinProviderAddress, { kind: 'esplora' }>, surroundings: BitcoinSurroundings) {
    this.#url = url
    this.#http = new ProviderHttp(new URL(url).host, surroundings.clock, url)
    this.#network = surroundings.network
  }

  get name(): string {
    return this.#http.name
  }

  get health(): ProviderHealth {
    return this.#http.health
  }

  place(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<BlockPlace>> {
    return steadyPlace(this.#http, { blockHash, blockHeight }, () => this.#look(blockHash, blockHeight, signal))
  }

  async #look(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<Look>> {
    const otherChain = await this.#chainFailure(signal)
    if (!otherChain.ok) return otherChain
    const before = await this.#get('/blocks/tip/hash', signal)
    if (!before.ok) return before
    const [header, hashAtHeight, height] = await Promise.all([
      this.#get(`/block/${blockHash}/header`, signal),
      this.#get(`/block-height/${Math.min(blockHeight, HEIGHT_ASKED_MAX)}`, signal),
      this.#get('/blocks/tip/height', signal)
    ])
    if (!header.ok) return header
    if (!hashAtHeight.ok) return hashAtHeight
    if (!height.ok) return height
    const after = await this.#get('/blocks/tip/hash', signal)
    if (!after.ok) return after
    if (!isBlockHash(before.value)) return this.#http.failure('PROVIDER_MALFORMED', 'does not say what its tip is')
    const tipHeight = /^\d+$/.test(height.value ?? '') ? Number(height.value) : null
    const steady = before.value === after.value
    return { ok: true, value: { steady, header: header.value, hashAtHeight: hashAtHeight.value, tipHeight } }
  }

  /** Asked until the answer was right once: an address does not move to another network by itself. */
  async #chainFailure(signal: AbortSignal): Promise<ProviderAnswer<null>> {
    if (this.#isChainKnown) return { ok: true, value: null }
    const first = await this.#get('/block-height/0', signal)
    if (!first.ok) return first
    if (!isBlockHash(first.value)) {
      return this.#http.failure('PROVIDER_MALFORMED', 'does not say what its first block is')
    }
    if (first.value !== BITCOIN_NETWORKS.get(this.#network)?.genesisHash) {
      return this.#http.failure('PROVIDER_CHAIN', `serves another chain than btc:${this.#network}`)
    }
    this.#isChainKnown = true
    return { ok: true, value: null }
  }

  /** The text of the answer; null for status 404. */
  async #get(path: string, signal: AbortSignal): Promise<ProviderAnswer<string | null>> {
    const reply = await this.#http.exchange({ url: `${this.#url}${path}`, method: 'GET' }, signal)
    if (!reply.ok) return reply
    const { status, mediaType, body } = reply.value
    if (status === 404) return { ok: true, value: null }
    if (status !== 200) return this.#http.failure('PROVIDER_UNREACHABLE', `answered with HTTP status ${status}`)
    // A media type can be left out, but a page for people is no answer, whatever stands in it.
    if (mediaType === 'text/html' || body.length > ANSWER_CHARS_MAX) {
      return this.#http.failure('PROVIDER_MALFORMED', `answered ${path} with no short text`)
    }
    return { ok: true, value: new TextDecoder().decode(body).trim() }
  }
}
