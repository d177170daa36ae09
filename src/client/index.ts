/** A typed client of an Anchormesh node's HTTP API, for browsers and Node. */
export { Client, createClient } from './client.ts'
export type {
  ClientOptions,
  EventFilters,
  ReceiptPlace,
  ReceiptProofAnswer,
  RowFilters,
  SubscribeOptions,
  UpdateOf
} from './client-options.ts'
export type { AppSigner, Delivered, DeliveryRequest, GivenToken } from './delivering.ts'
export { ClientError } from './errors.ts'
export type { ClientCode } from './errors.ts'
export type { CallOptions, Fetch } from './node-http.ts'
export { memoryCursorStore, webCursorStore } from './cursor-store.ts'
export type { CursorStore, WebStorage } from './cursor-store.ts'
export type { GapCode, SubscriptionState } from './subscription.ts'
export type { RetryOptions } from './retry-delay.ts'
export type { ClientWebSocket, OpenWebSocket } from './web-socket-frames.ts'

export type { CheckpointStore, VerifyOptions } from './verify/verifier.ts'
export type { TrustOptions } from './verify/trust.ts'
export type { CheckedLog } from './verify/log.ts'
export type { RowCheck } from './verify/rows.ts'
export type { ProofReport, ProofStep } from '../proofs/report.ts'

export type { DigestAnswer, Health, LoggedEventAnswer, NodeDocument } from '../api/answers.ts'
export type { PageOf } from '../api/pages.ts'
export { PROJECTION_NAMES } from '../api/rows.ts'
export type { ProjectionName, RowOf } from '../api/rows.ts'
