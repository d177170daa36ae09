import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import { shapeProblem } from '../../canonical-json/v1/shape.ts'
import type { Shape } from '../../canonical-json/v1/shape.ts'
import { encodeSignedBody } from '../../delivery/v1/signed-body.ts'
import { NAME_PATTERN } from '../../event/v1/announce.ts'
import { sha256Hex } from '../../primitives/sha256.ts'
import { executionFingerprint } from './fingerprint.ts'
import { FINDING_SHAPE, HASH, NAME, TIME, textWithin } from './finding.ts'
import type { Finding } from './finding.ts'
import { TENANT_REQUEST_SHAPE, decodeTenantRequest } from './tenant-request.ts'
import type { TenantRequestDecoding } from './tenant-request.ts'

/** Largest body in bytes: 256 findings with a kilobyte of detail each. */
export const TELEMETRY_BYTES_MAX = 262_144
/** Most findings of one report; an execution that found more reports more than once. */
export const FINDINGS_MAX = 256
/** Most metrics of one report: figures of one run, not a time series. */
export const METRICS_MAX = 64
/** Longest name of an agent, in bytes of UTF-8. */
const AGENT_BYTES_MAX = 256

/** One run of an agent. Times are milliseconds since 1970. */
export type Execution = {
  readonly id: string
  readonly startedAt?: number
  readonly endedAt?: number
  readonly agent?: string
}

export type TelemetryPayload = {
  readonly execution: Execution
  /** What the environment of the execution was measured as, hex. */
  readonly attestationMeasurementHash: string
  readonly findings: readonly Finding[]
  readonly metrics?: Readonly<Record<string, number>>
}

/** What an agent reports of one execution (SPEC TM-4). Times are milliseconds since 1970. */
export type Telemetry = {
  readonly v: 1
  readonly audience: string
  readonly signer: string
  readonly kid: string
  readonly tenant: string
  readonly timestamp: number
  /** 16 random bytes, base64url. */
  readonly nonce: string
  readonly payload: TelemetryPayload
}

const TELEMETRY_SHAPE: Shape = {
  ...TENANT_REQUEST_SHAPE,
  payload: { is: isJsonObject, expected: 'an object' },
  timestamp: TIME
}

const PAYLOAD_SHAPE: Shape = {
  attestationMeasurementHash: HASH,
  execution: { is: isJsonObject, expected: 'an object' },
  findings: {
    is: (value) => Array.isArray(value) && value.length <= FINDINGS_MAX,
    expected: `a list of at most ${FINDINGS_MAX}`
  },
  metrics: { is: isMetrics, expected: `at most ${METRICS_MAX} numbers by name`, optional: true }
}

const EXECUTION_SHAPE: Shape = {
  agent: { ...textWithin(AGENT_BYTES_MAX), optional: true },
  endedAt: { ...TIME, optional: true },
  id: NAME,
  startedAt: { ...TIME, optional: true }
}

/** Signs a report, for `POST /v1/tenants/{tenant}/telemetry`. `id` is its report id. Rejects as `sign` does. */
export async function encodeTelemetry(
  telemetry: Telemetry,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<{ readonly body: string; readonly id: string }> {
  const { body, canonical } = await encodeSignedBody(telemetry, 'telemetry', sign)
  return { body, id: sha256Hex(canonical) }
}

/** Reads a report by SPEC TM-1 to TM-8; the first rule that fails gives the code. The signature is not verified. */
export function decodeTelemetry(bytes: Uint8Array): TenantRequestDecoding<Telemetry> {
  const form = { purpose: 'telemetry', shape: TELEMETRY_SHAPE, bytesMax: TELEMETRY_BYTES_MAX }
  return decodeTenantRequest<Telemetry>(bytes, form, payloadProblem)
}

function payloadProblem(value: JsonObject): string | null {
  // [REJECT] TM-5.
  const problem = shapeProblem(value['payload'], PAYLOAD_SHAPE, 'payload')
  if (problem !== null) return problem
  const payload = value['payload'] as JsonObject
  // [REJECT] TM-6.
  const wrong = shapeProblem(payload['execution'], EXECUTION_SHAPE, 'payload.execution')
  if (wrong !== null) return wrong
  const { startedAt, endedAt } = payload['execution'] as Execution
  if (startedAt !== undefined && endedAt !== undefined && endedAt < startedAt)
    return 'payload.execution.endedAt: before startedAt'
  return findingsProblem(payload['findings'] as readonly JsonValue[])
}

/** The fingerprint of the execution that telemetry is of, hex (SPEC TM-10). */
export function fingerprintOf({ kid, signer, tenant, payload }: Telemetry): string {
  const { attestationMeasurementHash, execution } = payload
  return executionFingerprint({ attestationMeasurementHash, executionId: execution.id, kid, signer, tenant })
}

function findingsProblem(findings: readonly JsonValue[]): string | null {
  const ids = new Set<string>()
  // [REJECT] TM-7.
  for (const [index, finding] of findings.entries()) {
    const name = `payload.findings[${index}]`
    const problem = shapeProblem(finding, FINDING_SHAPE, name)
    if (problem !== null) return problem
    const { findingId } = finding as Finding
    if (ids.has(findingId)) return `${name}.findingId: a second ${findingId}`
    ids.add(findingId)
  }
  return null
}

/** [REJECT] TM-8. */
function isMetrics(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= METRICS_MAX &&
    entries.every(([name, figure]) => NAME_PATTERN.test(name) && typeof figure === 'number')
  )
}
