import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike, shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Member, Shape } from '../../canonical-json/v1/shape.ts'
import { HASH_PATTERN } from '../../event/v1/envelope.ts'
import { kidOfDidKey } from '../../signature/v1/did-key.ts'

/** The steps that four members of a report speak of (SPEC DR-6). */
export const STEP_OF = {
  challenge_issue_passed: 'challenge',
  delivery_passed: 'delivery',
  receipt_signature_verified: 'receipt-signature',
  replay_guard_passed: 'replay-guard'
} as const

/** Most steps of a report; a drill has some fifteen. */
export const STEPS_MAX = 64
/** Most characters of a step's detail: a sentence or two. */
export const DETAIL_CHARS_MAX = 512
/** Most characters of the names of targets and remote nodes: as many as a DID may have. */
export const NAME_CHARS_MAX = 256
/** Most characters of a URL: what servers and proxies commonly take. */
export const URL_CHARS_MAX = 2_048
const VERSION_CHARS_MAX = 64
// A log of 2^64 records has paths of 64 hashes.
const PROOF_HASHES_MAX = 64

const TIME_PATTERN = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/
const DRILL_ID_PATTERN = /^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}$/

const BOOLEAN: Member = { is: (value) => typeof value === 'boolean', expected: 'true or false' }
const TIME: Member = { is: isTime, expected: 'a time such as 2026-11-22T01:07:27.123Z' }
const HASH: Member = { is: (value) => isStringLike(value, HASH_PATTERN), expected: 'a hash' }
const OBJECT_OR_NULL: Member = {
  is: (value) => value === null || isJsonObject(value),
  expected: 'an object or null'
}

const REPORT_SHAPE: Shape = {
  base_url: { is: isPlainUrl, expected: 'a URL without user, password, query and fragment' },
  challenge_issue_passed: BOOLEAN,
  delivery_hash: orNull(HASH),
  delivery_passed: BOOLEAN,
  drill_id: { is: (value) => isStringLike(value, DRILL_ID_PATTERN), expected: 'a time and eight hex digits' },
  finished_time: TIME,
  inclusion_proof: orNull({
    is: (value) =>
      Array.isArray(value) && value.length <= PROOF_HASHES_MAX && (value as readonly JsonValue[]).every(HASH.is),
    expected: `a list of at most ${PROOF_HASHES_MAX} hashes`
  }),
  kid: { is: (value) => typeof value === 'string', expected: 'a kid' },
  node_document: OBJECT_OR_NULL,
  passed: BOOLEAN,
  receipt: OBJECT_OR_NULL,
  receipt_signature_verified: BOOLEAN,
  remote_node_id: textOf(1, NAME_CHARS_MAX),
  replay_guard_passed: BOOLEAN,
  schema_version: { is: (value) => value === 1, expected: '1' },
  // DR-8 looks at it.
  signatures: { is: () => true, expected: 'signatures' },
  signer: { is: (value) => typeof value === 'string' && kidOfDidKey(value) !== null, expected: 'a did:key' },
  steps: {
    is: (value) => Array.isArray(value) && value.length >= 1 && value.length <= STEPS_MAX,
    expected: `a list of 1 to ${STEPS_MAX} steps`
  },
  target: textOf(1, NAME_CHARS_MAX),
  test_time: TIME,
  versions: { is: isJsonObject, expected: 'an object' }
}

const STEP_SHAPE: Shape = {
  code: orNull({ is: (value) => isStringLike(value, /^[A-Z][A-Z0-9_]{0,63}$/), expected: 'a code' }),
  detail: textOf(0, DETAIL_CHARS_MAX),
  duration_ms: { is: (value) => isIntegerBetween(value, 0, Number.MAX_SAFE_INTEGER), expected: 'an integer from 0' },
  name: { is: (value) => isStringLike(value, /^[a-z][a-z0-9-]{0,63}$/), expected: 'the name of a step' },
  outcome: {
    is: (value) => value === 'passed' || value === 'failed' || value === 'skipped',
    expected: 'passed, failed or skipped'
  },
  status: orNull({ is: (value) => isIntegerBetween(value, 100, 599), expected: 'an HTTP status' })
}

const VERSIONS_SHAPE: Shape = {
  drill: textOf(0, VERSION_CHARS_MAX),
  target: orNull(textOf(0, VERSION_CHARS_MAX))
}

type Parts = Readonly<Record<string, JsonValue>> & { readonly steps: readonly JsonValue[] }

/** Why the value is no report by SPEC DR-4 to DR-7, or null. Its signature is not looked at. */
export function reportProblem(value: JsonValue): string | null {
  // [REJECT] DR-4: the members.
  const problem = shapeProblem(value, REPORT_SHAPE, 'report')
  if (problem !== null) return problem
  const report = value as Parts
  if (report['kid'] !== kidOfDidKey(report['signer'] as string)) return 'report.kid: not that of the signer'
  const versions = shapeProblem(report['versions'], VERSIONS_SHAPE, 'report.versions')
  if (versions !== null) return versions
  const [began, ended, drillId] = [report['test_time'], report['finished_time'], report['drill_id']] as string[]
  if (drillId?.slice(0, -9) !== began?.replaceAll(/[-:.]/g, '')) return 'report.drill_id: not of test_time'
  if (Date.parse(ended ?? '') < Date.parse(began ?? '')) return 'report.finished_time: before test_time'
  // [REJECT] DR-5: the steps.
  for (const [index, step] of report.steps.entries()) {
    const wrong = shapeProblem(step, STEP_SHAPE, `report.steps[${index}]`)
    if (wrong !== null) return wrong
  }
  return conclusionProblem(report)
}

function conclusionProblem(report: Parts): string | null {
  const outcomes = new Map<string, string>()
  for (const step of report.steps as readonly { readonly name: string; readonly outcome: string }[]) {
    if (outcomes.has(step.name)) return `report.steps: two steps ${step.name}`
    outcomes.set(step.name, step.outcome)
  }
  // [REJECT] DR-6: what follows from the steps.
  for (const [member, name] of Object.entries(STEP_OF)) {
    const outcome = outcomes.get(name)
    if (outcome === undefined) return `report.steps: no step ${name}`
    if (report[member] !== (outcome === 'passed')) return `report.${member}: not what step ${name} says`
  }
  if (report['passed'] !== [...outcomes.values()].every((outcome) => outcome === 'passed'))
    return 'report.passed: not what the steps say'
  // [REJECT] DR-7: what has to be there.
  const needed = [
    ...(report['delivery_passed'] === true ? ['delivery_hash', 'receipt'] : []),
    ...(report['receipt_signature_verified'] === true ? ['node_document'] : []),
    ...(report['passed'] ? ['inclusion_proof'] : [])
  ]
  const missing = needed.find((member) => report[member] === null)
  return missing === undefined ? null : `report.${missing}: null, though the step that gives it passed`
}

function isTime(value: JsonValue): boolean {
  if (!isStringLike(value, TIME_PATTERN)) return false
  const ms = Date.parse(value)
  // `Date.parse` takes the 31st of any month for a day of the next.
  return Number.isSafeInteger(ms) && isoOf(ms) === value
}

/** ISO 8601 in UTC with milliseconds. */
function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}

function isPlainUrl(value: JsonValue): boolean {
  if (typeof value !== 'string' || value.length > URL_CHARS_MAX || !URL.canParse(value)) return false
  const { protocol, username, password, search, hash } = new URL(value)
  const extras = username + password + search + hash
  return (protocol === 'http:' || protocol === 'https:') && extras === '' && !/[@?#]/.test(value)
}

function textOf(least: number, most: number): Member {
  return {
    is: (value) => typeof value === 'string' && value.length >= least && value.length <= most && !/\p{Cc}/u.test(value),
    expected: `text of ${least} to ${most} characters`
  }
}

function orNull({ is, expected }: Member): Member {
  return { is: (value) => value === null || is(value), expected: `${expected}, or null` }
}
