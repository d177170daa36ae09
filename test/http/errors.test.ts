import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  RequestRefused,
  failureOfProblem,
  problem,
  problemOfFailure,
  problemSchema,
  retryAfterOf,
  statusOf
} from '../../src/http/errors.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { FailureCode } from '../../src/platform/errors.ts'
import { json } from '../protocols/json-arbitrary.ts'

/** CONTRACT, section 6 and 4. */
const CONTRACT = {
  202: 'KEY_UNKNOWN PREDECESSOR_MISSING',
  400: 'MALFORMED NOT_CANONICAL DUPLICATE_KEY NUMBER_NOT_IJSON LONE_SURROGATE QUERY_INVALID CURSOR_FOREIGN CURSOR_FUTURE',
  401: 'SIGNATURE_INVALID SIGNER_MISMATCH KEY_WEAK ADMIN_TOKEN_INVALID',
  403: 'NAMESPACE_NOT_CARRIED SIGNER_NOT_MEMBER ROLE_MISSING NOT_OWNER KEY_CUT_OFF MAPPING_VIOLATION ATTESTATION_DENIED CROSS_ORG_DENIED HOST_NOT_ALLOWED',
  404: 'NOT_FOUND UNKNOWN_PROJECTION BATCH_UNKNOWN',
  409: 'SAME_ID_OTHER_BYTES BATCH_EXISTS',
  410: 'STATE_OUTDATED CURSOR_TOO_OLD',
  413: 'EVENT_TOO_LARGE BODY_TOO_LARGE',
  422:
    'UNKNOWN_VERSION SCHEMA_INVALID CHAIN_BROKEN FUTURE_TIMESTAMP TYPE_UNKNOWN BODY_INVALID RECEIPTS_INVALID PUBLISH_REFUSED PACK_GAP PACK_PREV_MISMATCH ' +
    'PACK_ROOT_MISMATCH PACK_STATUS_BACKWARD PACK_THRESHOLD PACK_SIGNER_REVOKED PACK_SIGNER_FOREIGN PACK_FORK',
  429: 'RATE_LIMITED',
  500: 'INTERNAL A_CODE_THAT_NOBODY_KNOWS',
  503: 'OVERLOADED STORE_FULL NOT_YET'
}

describe('statuses', () => {
  it.each(Object.entries(CONTRACT))('%d', (status, codes) => {
    for (const code of codes.split(' ')) expect([code, statusOf(code)]).toEqual([code, Number(status)])
  })

  it('429 and 503 that pass say when to ask again', () => {
    for (const code of ['RATE_LIMITED', 'OVERLOADED', 'STORE_FULL', 'NOT_YET', 'NODE_NOT_RUNNING'])
      expect(retryAfterOf(code)).toBeGreaterThan(0)
    expect(retryAfterOf('NOT_FOUND')).toBeNull()
  })
})

describe('problems', () => {
  it('hold what RFC 9457 and the contract ask for', () => {
    const told = problemOfFailure(new RequestRefused('NOT_FOUND', 'there is no GET /x'), 'r1')
    expect(told).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      code: 'NOT_FOUND',
      detail: 'there is no GET /x',
      requestId: 'r1'
    })
  })

  it('give back the failure that they were made of', () => {
    const codes = fc.constantFrom<FailureCode>(
      'BATCH_EXISTS',
      'CURSOR_TOO_OLD',
      'PUBLISH_REFUSED',
      'STORE_CORRUPT',
      'NOT_YET'
    )
    const detail = fc.option(
      fc.dictionary(fc.constantFrom('a', 'b', 'oldest', 'status', 'code', 'title'), json, {
        maxKeys: 4,
        noNullPrototype: true
      }),
      { nil: undefined }
    )
    const hint = fc.option(fc.string(), { nil: undefined })
    fc.assert(
      fc.property(codes, fc.string(), hint, detail, (code, message, hintText, data) => {
        const failure = new AnchormeshError(code, message, {
          ...(hintText === undefined ? {} : { hint: hintText }),
          ...(data === undefined ? {} : { detail: data })
        })
        const sent: unknown = JSON.parse(JSON.stringify(problemOfFailure(failure, 'r1')))
        const back = failureOfProblem(problemSchema.parse(sent))
        expect([back.code, back.message, back.hint]).toEqual([code, message, hintText])
        expect(JSON.stringify(back.detail)).toBe(JSON.stringify(failure.detail))
      })
    )
  })

  it('of a listener, or of a newer release, say whose fault it is', () => {
    expect(failureOfProblem(problem('BODY_TOO_LARGE', 'too large', 'r1'))).toMatchObject({
      code: 'USAGE',
      message: 'BODY_TOO_LARGE: too large',
      detail: { code: 'BODY_TOO_LARGE', requestId: 'r1' }
    })
    expect(failureOfProblem(problem('NEW_CODE', 'odd', 'r1'))).toMatchObject({
      code: 'INTERNAL',
      detail: { code: 'NEW_CODE' }
    })
    expect(failureOfProblem(problem('ROLE_MISSING', 'no', 'r1'))).toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'ROLE_MISSING' }
    })
  })
})
