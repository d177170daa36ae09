import type { z } from 'zod'
import type { receiptProofDocument } from '../api/answers.ts'
import type { RowsQuery } from '../api/queries.ts'
import type { ProjectionName, RowOf } from '../api/rows.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { ProofReport } from '../proofs/report.ts'
import type { CursorStore } from './cursor-store.ts'
import type { Fetch } from './node-http.ts'
import type { SubscriptionOptions, Update } from './subscription.ts'
import type { VerifyOptions } from './verify/verifier.ts'
import type { OpenWebSocket } from './web-socket-frames.ts'

export interface ClientOptions {
  /** Where the node listens (`http.listen`), perhaps with the path under which a proxy shows it. */
  readonly url: string
  /** An access token (`anchormesh tokens create`). */
  readonly token?: string
  /** Default: that of the runtime. It must not follow redirects where it is told so. */
  readonly fetch?: Fetch
  /** Default: that of the runtime. */
  readonly webSocket?: OpenWebSocket
  /** Where subscriptions keep their cursors; `name` is the projection, with `!` and the namespace where one is asked for. */
  readonly cursorStore?: (name: string) => CursorStore
  /** What is checked; without it the node is believed. */
  readonly verify?: VerifyOptions
  /** Of each call, milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** For simulations and tests. */
  readonly clock?: Clock
  readonly random?: Random
}

/** Which rows, and as of when; `limit` is of a page. */
export type RowFilters = { readonly [Key in keyof RowsQuery]?: RowsQuery[Key] | undefined }

/** Which events. */
export interface EventFilters {
  readonly namespace?: string
  readonly signer?: string
  readonly type?: string
  /** Default `shared`. */
  readonly scope?: 'shared' | 'local' | 'all'
  /** Only events after this position of the node's log. */
  readonly after?: number
  /** Of a page. */
  readonly limit?: number
}

export interface ReceiptPlace {
  readonly leafHash: string
  readonly namespace: string
  readonly batchId: string
  readonly owner?: string
  readonly batchRoot?: string
}

/** A proof file and how the receipt stands; `report` is this client's own check, null without `verify`. */
export type ReceiptProofAnswer = z.output<typeof receiptProofDocument> & { readonly report: ProofReport | null }

export interface SubscribeOptions extends Omit<SubscriptionOptions, 'projection'> {
  /** `websocket` where something in between lets no stream through. Default `sse`. */
  readonly transport?: 'sse' | 'websocket'
}

/** What a subscriber of this projection handles: its rows have their columns. */
export type UpdateOf<Name extends ProjectionName> =
  | (Omit<Extract<Update, { readonly frame: 'snapshot' }>, 'row'> & { readonly row: RowOf<Name> })
  | (Omit<Extract<Update, { readonly frame: 'change' }>, 'row'> & { readonly row: RowOf<Name> | null })
  | Extract<Update, { readonly frame: 'caught-up' | 'reset' }>
  | (Name extends 'winners' ? Extract<Update, { readonly frame: 'winner-changed' }> : never)
