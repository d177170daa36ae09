import { readFile, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { errnoOf } from '../../platform/atomic-file.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import type { BitcoinProviderAddress } from '../../policy/bitcoin-provider.ts'
import { KNOWN_HEADERS_BYTES_MAX, readKnownHeaders } from '../../../protocols/bitcoin-headers/v1/known-headers.ts'
import type { KnownHeaders } from '../../../protocols/bitcoin-headers/v1/known-headers.ts'
import type { BitcoinProvider, BlockPlace } from '../bitcoin/provider.ts'
import type { ProviderAnswer, ProviderFailure } from '../provider.ts'
import type { ProviderHealth, UnreachableCode } from '../verifier.ts'
import { BITCOIN_NETWORKS } from './bitcoin-networks.ts'
import type { BitcoinSurroundings } from './bitcoin-rpc.ts'

/** What was read, and from which state of the file. */
interface Reading {
  readonly state: string
  readonly headers: KnownHeaders
}

/**
 * A file of known headers (SPEC bitcoin-headers/v1) that tells where blocks stand. Read again when it
 * has changed. A height that the file leaves out is as good as no answer (`PROVIDER_UNREACHABLE`).
 */
export class HeadersFileProvider implements BitcoinProvider {
  readonly name: string
  readonly #path: string
  readonly #surroundings: BitcoinSurroundings
  #reading: Reading | null = null
  #asked = 0
  #failed = 0
  #failure: ProviderHealth['failure'] = null

  constructor({ file }: Extract<BitcoinProviderAddress, { kind: 'headers' }>, surroundings: BitcoinSurroundings) {
    this.name = basename(file)
    this.#path = resolve(surroundings.folder, file)
    this.#surroundings = surroundings
  }

  get health(): ProviderHealth {
    return { name: this.name, asked: this.#asked, failed: this.#failed, failure: this.#failure }
  }

  async place(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<BlockPlace>> {
    signal.throwIfAborted()
    this.#asked += 1
    const read = await untilAborted(this.#read(), signal)
    if (!read.ok) return read
    this.#failure = null
    const { byHash, byHeight, tipHeight } = read.value
    const atHeight = byHeight.get(blockHeight)
    if (atHeight === undefined && blockHeight <= tipHeight) {
      return this.#fail('PROVIDER_UNREACHABLE', `has no header of height ${blockHeight}`)
    }
    const header = byHash.get(blockHash)?.header ?? null
    return { ok: true, value: { header, hashAtHeight: atHeight?.hash ?? null, tipHeight } }
  }

  async #read(): Promise<ProviderAnswer<KnownHeaders>> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const state = `${mtimeMs} ${size} ${ino}`
      if (this.#reading?.state === state) return { ok: true, value: this.#reading.headers }
      if (size > KNOWN_HEADERS_BYTES_MAX) {
        return this.#fail('PROVIDER_MALFORMED', `has more than ${KNOWN_HEADERS_BYTES_MAX} bytes`)
      }
      const read = readKnownHeaders(await readFile(this.#path, 'utf8'))
      if (!read.ok) return this.#fail('PROVIDER_MALFORMED', `line ${read.line}: ${read.detail}`)
      const otherChain = this.#chainFailure(read.headers)
      if (otherChain !== null) return otherChain
      this.#reading = { state, headers: read.headers }
      return { ok: true, value: read.headers }
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      return this.#fail('PROVIDER_UNREACHABLE', `could not be read (${errno})`)
    }
  }

  /** BH-8: only a file that begins with the first block says of which network it is. */
  #chainFailure({ byHeight }: KnownHeaders): ProviderFailure | null {
    const first = byHeight.get(0)
    const { network } = this.#surroundings
    if (first === undefined || first.hash === BITCOIN_NETWORKS.get(network)?.genesisHash) return null
    return this.#fail('PROVIDER_CHAIN', `has the headers of another chain than btc:${network}`)
  }

  #fail(code: UnreachableCode, what: string): ProviderFailure {
    const detail = `${this.name} ${what}`
    this.#failed += 1
    const at = this.#surroundings.clock.now()
    this.#failure = { code, detail, at, since: this.#failure?.since ?? at }
    return { ok: false, code, detail, retryAfterMs: 0 }
  }
}
