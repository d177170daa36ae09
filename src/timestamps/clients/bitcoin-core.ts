import { isJsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { BitcoinProvider, BlockPlace } from '../bitcoin/provider.ts'
import type { ProviderAnswer } from '../provider.ts'
import { HEIGHT_ASKED_MAX, steadyPlace } from './bitcoin-place.ts'
import type { Look } from './bitcoin-place.ts'
import { BitcoinRpc, RPC_INVALID_ADDRESS_OR_KEY, RPC_INVALID_PARAMETER } from './bitcoin-rpc.ts'
import type { BitcoinCoreAddress, BitcoinSurroundings, RpcOutcome } from './bitcoin-rpc.ts'
import type { ProviderHealth } from '../verifier.ts'

/** A Bitcoin Core node that tells where blocks stand; one that has discarded old blocks keeps their headers. */
export class BitcoinCoreProvider implements BitcoinProvider {
  readonly #rpc: BitcoinRpc

  constructor(address: BitcoinCoreAddress, surroundings: BitcoinSurroundings) {
    this.#rpc = new BitcoinRpc(address, surroundings)
  }

  get name(): string {
    return this.#rpc.http.name
  }

  get health(): ProviderHealth {
    return this.#rpc.http.health
  }

  place(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<BlockPlace>> {
    return steadyPlace(this.#rpc.http, { blockHash, blockHeight }, () => this.#look(blockHash, blockHeight, signal))
  }

  async #look(blockHash: string, blockHeight: number, signal: AbortSignal): Promise<ProviderAnswer<Look>> {
    const answer = await this.#rpc.batch(
      [
        ['getblockchaininfo'],
        ['getblockheader', [blockHash, false]],
        ['getblockhash', [Math.min(blockHeight, HEIGHT_ASKED_MAX)]],
        ['getbestblockhash']
      ],
      signal
    )
    if (!answer.ok) return answer
    const [info, header, hashAtHeight, best] = answer.value as [RpcOutcome, RpcOutcome, RpcOutcome, RpcOutcome]
    const otherChain = this.#rpc.chainFailure(info)
    if (otherChain !== null) return otherChain
    if (!header.ok && header.code !== RPC_INVALID_ADDRESS_OR_KEY) return this.#rpc.refusal('getblockheader', header)
    if (!hashAtHeight.ok && hashAtHeight.code !== RPC_INVALID_PARAMETER) {
      return this.#rpc.refusal('getblockhash', hashAtHeight)
    }
    const tip = info.ok && isJsonObject(info.result) ? info.result : {}
    return {
      ok: true,
      value: {
        steady: best.ok && best.result === tip['bestblockhash'],
        header: header.ok ? header.result : null,
        hashAtHeight: hashAtHeight.ok ? hashAtHeight.result : null,
        tipHeight: tip['blocks']
      }
    }
  }
}
