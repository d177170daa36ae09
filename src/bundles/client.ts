import type { Exchange } from '../streams/one-exchange.ts'
import type { BundleErrorCode } from '../../protocols/bundle/v1/answer.ts'
import { decodeAnswer } from '../../protocols/bundle/v1/answer.ts'
import type { ProvenLeaf } from '../../protocols/bundle/v1/page.ts'
import { decodePage } from '../../protocols/bundle/v1/page.ts'
import type { BundleRequest, Want } from '../../protocols/bundle/v1/request.ts'
import { NONCE_BYTES, WANTS_MAX, encodeRequest } from '../../protocols/bundle/v1/request.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { ReceiptRow, RootedBatch } from '../projections/receipts.ts'
import { receiptKey, receiptsOfBatch } from '../projections/receipts.ts'
import { viewRows } from '../projections/rows-view.ts'
import type { Signer } from '../trust/signer.ts'
import { checkPage } from './check-page.ts'
import type { Imported, ReceiptKeeper } from './receipt-keeper.ts'
import { checkSigner } from './signature-check.ts'
import type { SignatureCheckPorts } from './signature-check.ts'

// A batch of 16 GiB takes hours, and as long as it likes with a server that gives a leaf at a time. Then it is another's
// turn: the next server's, and the next batch's.
const TURN_MS_MAX = 60_000

/** Sends one request to a peer (by PeerId) and waits for its answer, within limits of time and size of its own. */
export type ExchangeWithPeer = (peerId: string, request: Uint8Array, signal: AbortSignal) => Promise<Exchange>

export interface BundleClientPorts extends SignatureCheckPorts {
  readonly signer: () => Signer
  readonly keeper: ReceiptKeeper
  readonly exchange: ExchangeWithPeer
  readonly clock: Clock
  readonly random: Random
}

/** A peer that may serve. */
export interface ServingPeer {
  readonly did: string
  readonly peerId: string
}

/**
 * Why a peer did not give what it was asked for. `lied`: a page that no honest server sends; its sender pays.
 * `cross-org-denied`: its policy has no rule that lets this organisation have receipts of the owner. `other-count`: it goes by another announcement of the owner's.
 */
export type AskFailure =
  BundleErrorCode | 'cross-org-denied' | 'unreachable' | 'unknown-server-key' | 'other-count' | 'lied'

/** What one peer gave of a batch. Receipts that came before a failure are kept. */
export type PeerFetch = Imported & {
  /** Whether its turn ended before it had answered all that was asked. */
  readonly turnOver: boolean
  /** Null where it answered what it was asked, all of it or as long as its turn lasted. */
  readonly failure: { readonly code: AskFailure; readonly detail: string } | null
}

/** A batch as its owner announced it. */
export type AnnouncedBatch = RootedBatch & { readonly receiptCount: number }

/** Asks peers for receipts and keeps what stands under the root that the batch's owner announced. */
export class BundleClient {
  readonly #ports: BundleClientPorts

  constructor(ports: BundleClientPorts) {
    this.#ports = ports
  }

  /**
   * Fetches what is missing of a batch from one peer, page by page, for a minute or so. Rejects when the signal aborts, and where nothing
   * can be kept (`STORE_FULL`, `PROJECTION_HALTED`).
   */
  async fetch(
    batch: AnnouncedBatch,
    peer: ServingPeer,
    signal: AbortSignal,
    onHeld: (count: number) => void = () => {}
  ): Promise<PeerFetch> {
    let sum: Imported = { held: 0, erased: 0, forgotten: 0 }
    const { clock, keeper } = this.#ports
    const turnEndsAt = clock.monotonicMs() + TURN_MS_MAX
    for (let at: number | null = 0; at !== null;) {
      signal.throwIfAborted()
      if (clock.monotonicMs() >= turnEndsAt) return { ...sum, turnOver: true, failure: null }
      const wants = await this.#gaps(batch, at)
      if (wants.length === 0) break
      const page = await this.#ask(batch, wants, peer, signal)
      if (!page.ok) return { ...sum, turnOver: false, failure: page }
      const imported = await keeper.keep(batch, batch.receiptCount, page.leaves)
      sum = {
        held: sum.held + imported.held,
        erased: sum.erased + imported.erased,
        forgotten: sum.forgotten + imported.forgotten
      }
      onHeld(imported.held)
      // Wants that the server passed over are for others.
      const last = wants.at(-1)?.to ?? batch.receiptCount
      at = page.goOnAt ?? (last < batch.receiptCount ? last : null)
    }
    return { ...sum, turnOver: false, failure: null }
  }

  async #ask(
    { receiptCount, namespace }: AnnouncedBatch,
    wants: readonly Want[],
    { did, peerId }: ServingPeer,
    signal: AbortSignal
  ): Promise<
    | { readonly ok: true; readonly leaves: readonly ProvenLeaf[]; readonly goOnAt: number | null }
    | { readonly ok: false; readonly code: AskFailure; readonly detail: string }
  > {
    const { exchange, clock, random } = this.#ports
    const signer = this.#ports.signer()
    const request: BundleRequest = {
      v: 1,
      namespace,
      signer: signer.did,
      kid: signer.kid,
      audience: did,
      ts: clock.now(),
      nonce: toBase64url(random.bytes(NONCE_BYTES)),
      want: wants
    }
    const { wire, hash } = await encodeRequest(request, (input) => signer.sign(input))
    const exchanged = await exchange(peerId, wire, signal)
    if (!exchanged.ok) return failed(exchanged.reason === 'broken' ? 'lied' : 'unreachable', exchanged.detail)
    const answer = decodeAnswer(exchanged.answer)
    if (answer === null) return failed('lied', 'the answer is neither a page nor an error')
    if (!answer.ok) {
      // [REJECT] BU-8: told apart for the operator, who has somebody to talk to.
      const isCrossOrg = answer.code === 'denied' && answer.detail.startsWith('CROSS_ORG_DENIED:')
      return failed(isCrossOrg ? 'cross-org-denied' : answer.code, answer.detail)
    }
    const decoding = decodePage(answer.page)
    if (!decoding.ok) return failed('lied', decoding.detail)
    const { page, signature } = decoding.decoded
    // [REJECT] BU-13: a key of the server's. That its owner is the one that was asked is checked with the rest.
    const signed = await checkSigner(page.signer, signature, this.#ports)
    if (!signed.ok) return failed(signed.code === 'unknown-key' ? 'unknown-server-key' : 'lied', signed.detail)
    const checked = checkPage(decoding.decoded, request, hash, { wants, receiptCount })
    return checked
  }

  /** The first leaves from `from` on that are neither held nor forgotten, as wants. */
  async #gaps(batch: AnnouncedBatch, from: number): Promise<Want[]> {
    const { engine, store } = this.#ports
    const { owner, batchId, batchRoot, receiptCount } = batch
    return await viewRows(engine, store, 'receipts', async (view) => {
      const gaps: Want[] = []
      let start = from
      const close = (end: number): void => {
        if (end > start) gaps.push({ owner, batchId, batchRoot, from: start, to: end })
      }
      for await (const row of rowsFrom(view.range(receiptsOfBatch(batch), receiptKey(batch, from)))) {
        if (row.status === 'erased') continue
        close(row.index)
        if (gaps.length === WANTS_MAX) return gaps
        start = row.index + 1
      }
      close(receiptCount)
      return gaps
    })
  }
}

async function* rowsFrom(entries: AsyncIterable<[string, unknown]>): AsyncGenerator<ReceiptRow> {
  for await (const [, row] of entries) yield row as ReceiptRow
}

function failed(code: AskFailure, detail: string) {
  return { ok: false, code, detail } as const
}
