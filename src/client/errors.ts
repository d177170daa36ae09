/** What a client says by itself; every other code is the node's own (CONTRACT, section 6). */
export type ClientCode =
  /** The node could not be reached, or the connection broke; a redirect is never followed and ends here too. */
  | 'UNREACHABLE'
  /** No answer, or no whole one, within the time for it. */
  | 'TIMED_OUT'
  /** The answer is not what the node's API promises. */
  | 'ANSWER_MALFORMED'
  /** The answer is larger than any that the node's API makes. */
  | 'ANSWER_TOO_LARGE'
  /** The address is none that a client may use, or not with a token. */
  | 'URL_INVALID'
  /** What an app gave to check with is not usable: a weak key, headers that are none. */
  | 'TRUST_INVALID'
  /** A call needs `verify`, or its `checkpointStore`. */
  | 'NOTHING_TO_VERIFY_WITH'
  /** What is to be delivered can't be: no I-JSON, or more than a node takes. */
  | 'DELIVERY_INVALID'
  /** A subscription whose connection ended, or on which nothing came for too long. */
  | 'STREAM_ENDED'
  | 'STREAM_SILENT'
  /** A subscription that was read too slowly, by the node's own measure or, over a WebSocket, by that of the client. */
  | 'CONSUMER_TOO_SLOW'
  /** What the node said does not hold when it is checked; `reason` says which rule. */
  | 'VERIFICATION_FAILED'

export interface ClientErrorDetails {
  /** HTTP status of the answer; absent where there was none. */
  readonly status?: number
  readonly hint?: string
  readonly retryAfterMs?: number
  readonly requestId?: string
  /** Of a cursor or a position that is no longer kept: the oldest that is. */
  readonly oldest?: number
  /** Of `VERIFICATION_FAILED`: the code of the rule that does not hold. */
  readonly reason?: string
  /** Figures and names for machines, as the node gave them. */
  readonly data?: Readonly<Record<string, unknown>>
  readonly isRetryable?: boolean
  readonly cause?: unknown
}

/**
 * Why a call or a subscription failed. `code` is stable: one of the node (`NOT_FOUND`, `ACCESS_DENIED`, …) or of the
 * client (`ClientCode`). What the caller aborted is no `ClientError`: it fails with the reason of the signal.
 */
export class ClientError extends Error {
  readonly code: string
  /** HTTP status, or null where there was no answer. */
  readonly status: number | null
  /** What can be done about it. */
  readonly hint: string | null
  /** Milliseconds after which it is worth to ask again, by the node. */
  readonly retryAfterMs: number | null
  /** Under which the node's log says more. */
  readonly requestId: string | null
  readonly oldest: number | null
  readonly reason: string | null
  readonly data: Readonly<Record<string, unknown>> | null
  /** Whether the same call may succeed later: the node was away or busy. A subscription goes on by itself then. */
  readonly isRetryable: boolean

  constructor(code: string, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'ClientError'
    this.code = code
    this.status = details.status ?? null
    this.hint = details.hint ?? null
    this.retryAfterMs = details.retryAfterMs ?? null
    this.requestId = details.requestId ?? null
    this.oldest = details.oldest ?? null
    this.reason = details.reason ?? null
    this.data = details.data ?? null
    this.isRetryable = details.isRetryable ?? false
  }
}

/** What the node said does not hold. `reason`: the code of the rule. */
export function verificationFailed(reason: string, detail: string): ClientError {
  return new ClientError('VERIFICATION_FAILED', `${reason}: ${detail}`, {
    reason,
    hint: 'Do not use what this node said; ask another, and tell the operator.'
  })
}

/** What came is no answer of the API. */
export function malformedAnswer(detail: string, details: ClientErrorDetails = {}): ClientError {
  return new ClientError('ANSWER_MALFORMED', detail, details)
}
