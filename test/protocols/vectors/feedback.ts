import { bob, hashOf } from './event-parts.ts'
import {
  MEASUREMENT,
  TS,
  bodyOf,
  fingerprintOf,
  invalidBodies,
  requestOf,
  validOf,
  without
} from './tenant-requests.ts'
import type { Parts } from './tenant-requests.ts'
import type { Vector, VectorFile } from './vector-file.ts'

/** The vectors of feedback/v1. Bodies, hashes and what feedback does are put together here as the SPEC says. */
export function feedbackVectors(): readonly VectorFile[] {
  const base = 'feedback/v1/vectors'
  return [
    {
      path: `${base}/feedback.json`,
      description:
        'Feedback: the body (text), the canonical form of its `signed` (text), feedback id and body hash (hex), and the public key (hex) under which the signature is good.',
      vectors: feedback()
    },
    {
      path: `${base}/feedback-invalid.json`,
      description:
        'Bodies (hex; or `repeat` of a byte `count` times) that are no feedback, with rule and code. Their signatures are good, except where they are what is wrong.',
      vectors: invalidFeedback()
    },
    {
      path: `${base}/applied.json`,
      description:
        'What a finding was `reported` as, the `data` of feedback on it in the order of the log, and the values of the finding after each of them.',
      vectors: applied()
    }
  ]
}

function dataOf(changes: Parts = {}): Parts {
  return {
    action: 'confirm',
    attestationMeasurementHash: MEASUREMENT,
    findingId: 'finding-1',
    fingerprint: fingerprintOf().fingerprint,
    rule: 'triage:2',
    ...changes
  }
}

function feedbackOf(changes: Parts = {}): Parts {
  return requestOf({ data: dataOf(), schema: 'anchormesh.feedback/1', signedAt: TS, ...changes })
}

function feedback(): Vector[] {
  const valid = (description: string, data: Parts, text?: string): Vector =>
    validOf(description, feedbackOf({ data }), 'feedback', text)
  const commented = dataOf({ comment: 'seen in three runs — “real”' })
  const text = JSON.stringify(bodyOf(feedbackOf({ data: commented }), 'feedback'), null, 2)
  return [
    valid('a finding is confirmed', dataOf()),
    valid('with a comment', commented),
    valid('the same, written in other ways', commented, text.replace('—', String.raw`\u2014`)),
    valid('severity and score are adjusted', dataOf({ action: 'adjust', score: 0, severity: 'low' })),
    valid('the score alone is adjusted', dataOf({ action: 'adjust', score: 1_000 })),
    valid('a finding is dismissed', dataOf({ action: 'dismiss' })),
    valid('a finding is opened again', dataOf({ action: 'reopen' }))
  ]
}

function invalidFeedback(): Vector[] {
  const data = (rule: string, description: string, value: unknown): Vector => ({
    description,
    rule,
    code: 'SCHEMA_INVALID',
    body: Buffer.from(JSON.stringify(bodyOf(feedbackOf({ data: value }), 'feedback'))).toString('hex')
  })
  const member = (description: string, changes: Parts): Vector => data('FB-5', description, dataOf(changes))
  const rules = { size: 'FB-1', form: 'FB-2', signature: 'FB-3', members: 'FB-4' }
  const another: Vector = {
    description: 'another schema',
    rule: 'FB-4',
    code: 'SCHEMA_INVALID',
    body: Buffer.from(JSON.stringify(bodyOf(feedbackOf({ schema: 'anchormesh.feedback/2' }), 'feedback'))).toString(
      'hex'
    )
  }
  return [
    ...invalidBodies('feedback', rules, { bytesMax: 16_384 }, feedbackOf),
    another,
    data('FB-4', 'data that is a text', 'confirm'),
    ...Object.keys(dataOf()).map((name) => data('FB-5', `no ${name} in data`, without(dataOf(), name))),
    member('no such action', { action: 'delete' }),
    member('a fingerprint in upper case', { fingerprint: fingerprintOf().fingerprint.toUpperCase() }),
    member('a rule with a space', { rule: 'triage 2' }),
    member('an empty comment', { comment: '' }),
    member('a comment of 2,049 bytes', { comment: `${'€'.repeat(682)}abc` }),
    member('a severity that is none', { action: 'adjust', severity: 'urgent' }),
    member('a score beyond 1,000', { action: 'adjust', score: 1_001 }),
    member('null in the place of an absent member', { comment: null }),
    member('an unknown member', { signer: bob.did }),
    data('FB-6', 'an adjustment of nothing', dataOf({ action: 'adjust' })),
    data('FB-6', 'a score with another action', dataOf({ action: 'confirm', score: 1 })),
    data('FB-6', 'a severity with another action', dataOf({ action: 'dismiss', severity: 'low' }))
  ]
}

function applied(): Vector[] {
  const values = (status: string, severity: string, score: number): Parts => ({ status, severity, score })
  const reported = { severity: 'high', score: 720 }
  return [
    { description: 'confirmed', reported, data: [dataOf()], after: [values('confirmed', 'high', 720)] },
    {
      description: 'adjusted, dismissed, opened again',
      reported,
      data: [
        dataOf({ action: 'adjust', severity: 'low' }),
        dataOf({ action: 'dismiss' }),
        dataOf({ action: 'adjust', score: 10 }),
        dataOf({ action: 'reopen' })
      ],
      after: [
        values('open', 'low', 720),
        values('dismissed', 'low', 720),
        values('dismissed', 'low', 10),
        values('open', 'low', 10)
      ]
    },
    {
      description: 'what is bound to another execution changes nothing',
      reported,
      data: [
        dataOf({ action: 'dismiss', fingerprint: fingerprintOf({ executionId: 'run-2' }).fingerprint }),
        dataOf({ action: 'dismiss', attestationMeasurementHash: hashOf('another environment') })
      ],
      after: [values('open', 'high', 720), values('open', 'high', 720)]
    }
  ]
}
