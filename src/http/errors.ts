import { STATUS_CODES } from 'node:http'
import { problemSchema } from '../api/problem.ts'
import type { Problem } from '../api/problem.ts'
import type { IgnoredCode, PendingCode, RejectedCode } from '../events/outcome.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { FailureCode } from '../platform/errors.ts'

/** Statuses of failures that stop an operation. What a running node should never throw is a defect: 500. */
const FAILURE_STATUS: Readonly<Record<FailureCode, number>> = {
  STORE_LOCKED: 500,
  STORE_CORRUPT: 503,
  BACKUP_INVALID: 422,
  STORE_FULL: 503,
  STORE_NEWER: 500,
  STORE_OLDER: 500,
  PORT_IN_USE: 500,
  KEYSTORE_PERMISSIONS: 500,
  KEYSTORE_PASSPHRASE: 500,
  KEYSTORE_CORRUPT: 500,
  KEYSTORE_CHANGED: 500,
  SIGNER_UNAVAILABLE: 503,
  STORE_KEY_MISSING: 500,
  STORE_REKEY_UNFINISHED: 500,
  NODE_NOT_RUNNING: 503,
  OWN_CHAIN_BEHIND: 409,
  PEER_UNREACHABLE: 503,
  CONFIG_INVALID: 422,
  USAGE: 400,
  ADMIN_TOKEN_INVALID: 401,
  NOT_FOUND: 404,
  QUERY_INVALID: 400,
  UNKNOWN_PROJECTION: 404,
  STATE_OUTDATED: 410,
  CURSOR_TOO_OLD: 410,
  CURSOR_FOREIGN: 400,
  CURSOR_FUTURE: 400,
  NOT_YET: 503,
  PROJECTION_HALTED: 503,
  BATCH_EXISTS: 409,
  BATCH_UNKNOWN: 404,
  RECEIPTS_INVALID: 422,
  RECEIPT_UNKNOWN: 404,
  PUBLISH_REFUSED: 422,
  TSA_REQUEST_FAILED: 502,
  RAIL_NOT_CONFIGURED: 422,
  SEALING_NOT_CONFIGURED: 422,
  RECEIPTS_QUEUE_FULL: 503,
  ANCHORINGS_FULL: 503,
  ANCHORING_EXISTS: 409,
  ANCHORING_UNKNOWN: 404,
  PROOF_INVALID: 422,
  PACK_DRAFT_INVALID: 422,
  PACK_DRAFT_ALTERED: 422,
  PACK_DRAFT_STALE: 409,
  PACK_DRAFT_PENDING: 409,
  PACK_SIGNATURES_MISSING: 409,
  PACK_ALREADY_SIGNED: 409,
  PACK_UNKNOWN: 404,
  KEY_NOT_HELD: 422,
  KEY_EXISTS: 409,
  KEY_IN_USE: 409,
  SIGNER_UNKNOWN: 404,
  LAST_GOOD_REQUIRED: 422,
  LAST_GOOD_UNKNOWN: 404,
  SIGNERS_CORRUPT: 500,
  SIGNERS_PERMISSIONS: 500,
  PINS_NOT_KEPT: 422,
  CHECKPOINT_INVALID: 422,
  TOKENS_FULL: 409,
  INTERNAL: 500
}

/** Codes of events that are admitted without effect; the node's own are not published in the first place. */
type EffectCode =
  | 'TYPE_UNKNOWN'
  | 'BODY_INVALID'
  | 'ROLE_MISSING'
  | 'NOT_OWNER'
  | 'KEY_CUT_OFF'
  | 'MAPPING_VIOLATION'
  | 'ATTESTATION_DENIED'
  | 'CROSS_ORG_DENIED'
  | 'PACK_GAP'
  | 'PACK_PREV_MISMATCH'
  | 'PACK_ROOT_MISMATCH'
  | 'PACK_STATUS_BACKWARD'
  | 'PACK_THRESHOLD'
  | 'PACK_SIGNER_REVOKED'
  | 'PACK_SIGNER_FOREIGN'
  | 'PACK_FORK'

/** Statuses of what is said of an event (CONTRACT, section 6). `STORE_FULL` stands above. */
const EVENT_STATUS: Readonly<
  Record<Exclude<RejectedCode | IgnoredCode | PendingCode | EffectCode, FailureCode>, number>
> = {
  EVENT_TOO_LARGE: 413,
  MALFORMED: 400,
  NOT_CANONICAL: 400,
  DUPLICATE_KEY: 400,
  NUMBER_NOT_IJSON: 400,
  LONE_SURROGATE: 400,
  UNKNOWN_VERSION: 422,
  SCHEMA_INVALID: 422,
  SIGNATURE_INVALID: 401,
  SIGNER_MISMATCH: 401,
  KEY_WEAK: 401,
  CHAIN_BROKEN: 422,
  FUTURE_TIMESTAMP: 422,
  NAMESPACE_NOT_CARRIED: 403,
  SIGNER_NOT_MEMBER: 403,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  SAME_ID_OTHER_BYTES: 409,
  KEY_UNKNOWN: 202,
  PREDECESSOR_MISSING: 202,
  TYPE_UNKNOWN: 422,
  BODY_INVALID: 422,
  ROLE_MISSING: 403,
  NOT_OWNER: 403,
  KEY_CUT_OFF: 403,
  MAPPING_VIOLATION: 403,
  ATTESTATION_DENIED: 403,
  CROSS_ORG_DENIED: 403,
  PACK_GAP: 422,
  PACK_PREV_MISMATCH: 422,
  PACK_ROOT_MISMATCH: 422,
  PACK_STATUS_BACKWARD: 422,
  PACK_THRESHOLD: 422,
  PACK_SIGNER_REVOKED: 422,
  PACK_SIGNER_FOREIGN: 422,
  PACK_FORK: 422
}

/** Statuses of what a listener refuses by itself, before the node hears of it. */
const LISTENER_STATUS = {
  TOKEN_REQUIRED: 401,
  TOKEN_INVALID: 401,
  TOKEN_EXPIRED: 401,
  TIMESTAMP_SKEW: 401,
  ACCESS_DENIED: 403,
  NODE_UNKNOWN: 403,
  CERTIFICATE_REQUIRED: 401,
  CERTIFICATE_NOT_PINNED: 403,
  WRONG_AUDIENCE: 403,
  REPLAY: 409,
  FINDING_EXISTS: 409,
  FINDING_UNKNOWN: 422,
  TOO_MANY_CONNECTIONS: 503,
  TOO_MANY_SUBSCRIBERS: 503,
  HOST_NOT_ALLOWED: 403,
  BAD_TOKEN: 400,
  UNKNOWN_ORGANISATION: 404,
  BODY_MALFORMED: 400,
  BODY_TOO_LARGE: 413,
  MEDIA_TYPE_UNSUPPORTED: 415,
  REQUEST_TIMEOUT: 408,
  HEADERS_TOO_LARGE: 431
} as const

/** Every code that an answer can carry. */
export type HttpCode = keyof typeof FAILURE_STATUS | keyof typeof EVENT_STATUS | keyof typeof LISTENER_STATUS

const STATUS: ReadonlyMap<string, number> = new Map(
  Object.entries({ ...FAILURE_STATUS, ...EVENT_STATUS, ...LISTENER_STATUS })
)

/** Seconds after which it is worth to ask again, for the statuses 429 and 503 that pass. */
const RETRY_AFTER_SECONDS: Readonly<Partial<Record<string, number>>> = {
  // A full queue is worked off within a second.
  OVERLOADED: 1,
  NOT_YET: 1,
  RATE_LIMITED: 10,
  // Connections end by themselves within the idle limit.
  TOO_MANY_CONNECTIONS: 10,
  TOO_MANY_SUBSCRIBERS: 10,
  // As long as a restart takes.
  NODE_NOT_RUNNING: 10,
  // A batch has to be sealed, or evidence to become final, which takes minutes at the least.
  RECEIPTS_QUEUE_FULL: 60,
  ANCHORINGS_FULL: 60,
  // A person has to make room.
  STORE_FULL: 60
}

/** The status of a code; 500 for one that no table holds, because then this release has a defect. */
export function statusOf(code: string): number {
  return STATUS.get(code) ?? 500
}

/** The value of `Retry-After` for a code, or null where asking again does not help. */
export function retryAfterOf(code: string): number | null {
  return RETRY_AFTER_SECONDS[code] ?? null
}

export { problemSchema }
export type { Problem }

/** What a listener refuses by itself. */
export class RequestRefused extends Error {
  readonly code: HttpCode
  readonly hint: string | undefined

  constructor(code: HttpCode, message: string, hint?: string) {
    super(message)
    this.name = 'RequestRefused'
    this.code = code
    this.hint = hint
  }
}

/** A problem of this code. */
export function problem(
  code: string,
  detail: string,
  requestId: string,
  more: Partial<Omit<Problem, 'code' | 'detail'>> = {}
): Problem {
  const status = statusOf(code)
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail, requestId, ...more }
}

/**
 * What a failure says to a client. An event that the node refuses to publish has the code that it would get everywhere
 * else.
 */
export function problemOfFailure(error: AnchormeshError | RequestRefused, requestId: string): Problem {
  const hint = error.hint === undefined ? {} : { hint: error.hint }
  if (error instanceof RequestRefused) return problem(error.code, error.message, requestId, hint)
  const { detail: data, message } = error
  const refusedWith = error.code === 'PUBLISH_REFUSED' ? data?.['code'] : undefined
  const code = typeof refusedWith === 'string' && Object.hasOwn(EVENT_STATUS, refusedWith) ? refusedWith : error.code
  const oldest = data?.['oldest']
  return problem(code, message, requestId, {
    ...hint,
    ...(data === undefined ? {} : { data: { ...data } }),
    ...(typeof oldest === 'number' ? { oldest } : {})
  })
}

/** The failure that a problem tells of: the reverse of `problemOfFailure`. */
export function failureOfProblem({ code, detail, hint, data, status, requestId }: Problem): AnchormeshError {
  const options = hint === undefined ? {} : { hint }
  if (isFailureCode(code))
    return new AnchormeshError(code, detail, { ...options, ...(data === undefined ? {} : { detail: data }) })
  if (Object.hasOwn(EVENT_STATUS, code))
    return new AnchormeshError('PUBLISH_REFUSED', detail, { ...options, detail: { ...data, code } })
  // A code of a listener, or of a newer release: whether the request or the node was at fault, the status says.
  const failure = status < 500 ? 'USAGE' : 'INTERNAL'
  return new AnchormeshError(failure, `${code}: ${detail}`, { ...options, detail: { ...data, code, requestId } })
}

function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(FAILURE_STATUS, code)
}
