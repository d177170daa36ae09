import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_MEDIA_TYPE } from '../api/problem.ts'
import type { Logger } from '../platform/logger.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { RequestRefused, problem, problemOfFailure, retryAfterOf } from './errors.ts'
import type { HttpCode, Problem } from './errors.ts'
import { FrameCut } from './frames.ts'

export { PROBLEM_MEDIA_TYPE }

/** What fastify refuses by itself, in this project's codes. */
const FASTIFY_CODES: Readonly<Partial<Record<string, HttpCode>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MEDIA_TYPE_UNSUPPORTED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_BAD_URL: 'QUERY_INVALID',
  FST_ERR_MAX_PARAM_LENGTH: 'NOT_FOUND'
}

/** Which code stands for what in a request has not the form that a schema asks for. */
const INVALID_PART: Readonly<Partial<Record<string, HttpCode>>> = {
  querystring: 'QUERY_INVALID',
  params: 'NOT_FOUND',
  body: 'BODY_INVALID'
}

/**
 * Says what to tell a client of a failure, and logs what the operator should know. Defects are logged with their stack
 * and told by their request id alone; so are, to readers, failures of the store, because their messages name files.
 */
export function describeFailure(error: unknown, request: FastifyRequest, logger: Logger): Problem {
  const { id: requestId, method } = request
  const place = { requestId, method, path: pathOf(request) }
  if (isGone(request)) {
    logger.debug({ ...place, reason: messageOf(error) }, 'a client went away before its request was answered')
    return problem('REQUEST_TIMEOUT', 'the request ended early', requestId)
  }
  const known = knownFailure(error)
  if (known === null) {
    logger.error(
      { ...place, stack: error instanceof Error ? error.stack : String(error) },
      'a request failed by a defect'
    )
    return hidden('INTERNAL', requestId)
  }
  const told = problemOfFailure(known, requestId)
  if (told.status !== 500 && !told.code.startsWith('STORE_')) return told
  logger.error({ ...place, code: told.code, stack: known.stack }, 'a request failed')
  return isOperator(request) ? told : hidden(told.code, requestId)
}

/** Answers with a problem. */
export function sendProblem(reply: FastifyReply, told: Problem): FastifyReply {
  const retryAfter = retryAfterOf(told.code)
  if (retryAfter !== null) reply.header('retry-after', retryAfter)
  // As bytes, because fastify would add a charset to a string, which this media type does not know (RFC 8259 section
  // 11).
  return (
    reply
      .code(told.status)
      // What is refused now may be had in a moment, or by somebody else.
      .header('cache-control', 'no-store')
      .type(PROBLEM_MEDIA_TYPE)
      .send(Buffer.from(JSON.stringify(told)))
  )
}

/** Whether the answer goes to somebody who has shown the admin token. */
function isOperator(request: FastifyRequest): boolean {
  return request.routeOptions.url?.startsWith('/v1/admin/') === true
}

function knownFailure(error: unknown): AnchormeshError | RequestRefused | null {
  if (error instanceof AnchormeshError || error instanceof RequestRefused) return error
  if (error instanceof FrameCut) return new RequestRefused('BODY_MALFORMED', error.message)
  if (!isFastifyError(error)) return null
  if (error.validation !== undefined) {
    const code = INVALID_PART[error.validationContext ?? ''] ?? 'BODY_INVALID'
    return new RequestRefused(code, error.validation.map(issueText).join('; '))
  }
  const code = FASTIFY_CODES[error.code]
  return code === undefined ? null : new RequestRefused(code, error.message)
}

function issueText({ instancePath, message, params }: NonNullable<FastifyError['validation']>[number]): string {
  const keys = params['keys']
  if (Array.isArray(keys)) return `unknown: ${keys.map((key) => JSON.stringify(key)).join(', ')}`
  const name = instancePath.slice(1).replaceAll('/', '.')
  return name === '' ? (message ?? 'is not valid') : `${name}: ${message ?? 'is not valid'}`
}

function hidden(code: string, requestId: string): Problem {
  return problem(code, `the node could not answer; its log says why under this request id`, requestId)
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_')
}

/** Whether the client closed the connection in the middle of its request. */
function isGone({ raw }: FastifyRequest): boolean {
  return raw.destroyed && !raw.complete
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? ''
}
