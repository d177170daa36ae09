import { decodeIJson, encodeCanonical } from '../../canonical-json/v1/codec.ts'
import type { CanonicalCode } from '../../canonical-json/v1/codec.ts'
import { isJsonObject } from '../../canonical-json/v1/json.ts'
import type { JsonObject, JsonValue } from '../../canonical-json/v1/json.ts'
import { isIntegerBetween, isStringLike } from '../../canonical-json/v1/shape.ts'
import { fromBase64url, toBase64url, utf8 } from '../../primitives/bytes.ts'
import { publicKeyOfDidKey } from '../../signature/v1/did-key.ts'
import { SIGNATURE_BYTES, checkPublicKey, verifyEd25519 } from '../../signature/v1/ed25519.ts'
import { protectedHeader, signingInput, typOfPurpose } from '../../signature/v1/jws.ts'
import { reportProblem } from './report-shape.ts'

/** Largest report in bytes: a receipt and a node document, each with room to spare, and 64 steps with long details. */
export const REPORT_BYTES_MAX = 262_144

/** How a step of a drill went; `skipped`: something before it failed. */
export type StepOutcome = 'passed' | 'failed' | 'skipped'

/** One step (SPEC DR-5). Members have the names of the file. */
export type ReportStep = {
  readonly name: string
  readonly outcome: StepOutcome
  /** What the target answered with, or why the step failed. */
  readonly code: string | null
  /** HTTP status. */
  readonly status: number | null
  readonly duration_ms: number
  readonly detail: string
}

/** What the drill's key signs (SPEC DR-4). Times are ISO 8601 in UTC with milliseconds. */
export type DrillReport = {
  readonly schema_version: 1
  readonly drill_id: string
  readonly remote_node_id: string
  readonly target: string
  readonly base_url: string
  /** `did:key` of the key that was made for the run. */
  readonly signer: string
  readonly kid: string
  readonly test_time: string
  readonly finished_time: string
  readonly passed: boolean
  readonly challenge_issue_passed: boolean
  readonly delivery_passed: boolean
  readonly receipt_signature_verified: boolean
  readonly replay_guard_passed: boolean
  readonly steps: readonly ReportStep[]
  /** SHA-256 of the delivery's canonical bytes, hex. */
  readonly delivery_hash: string | null
  /** The target's receipt (delivery/v1) as it was answered. */
  readonly receipt: JsonObject | null
  /** Hex: that the delivery's record is under the root of the receipt's checkpoint. */
  readonly inclusion_proof: readonly string[] | null
  readonly node_document: JsonObject | null
  readonly versions: { readonly drill: string; readonly target: string | null }
}

/** A report whose form and own signature are good. What the target signed is not yet looked at. */
export interface SignedReport {
  readonly report: DrillReport
}

export type ReportCode = CanonicalCode | 'REPORT_TOO_LARGE' | 'UNKNOWN_VERSION' | 'REPORT_INVALID' | 'SIGNATURE_INVALID'

export type ReportDecoding =
  | ({ readonly ok: true } & SignedReport)
  | {
      readonly ok: false
      readonly code: ReportCode
      readonly detail: string
      /** What the file says, where it has the form of a report. Nobody vouches for it. */
      readonly claimed: DrillReport | null
    }

/**
 * The file of a report, signed: JSON for people and machines, with a line feed at the end. Rejects as `sign` does, and
 * with `TypeError` on what I-JSON can't hold.
 */
export async function encodeReport(
  report: DrillReport,
  sign: (input: Uint8Array) => Promise<Uint8Array>
): Promise<string> {
  const header = protectedHeader(report.kid, typOfPurpose('drill-report'))
  const signature = await sign(signingInput(header, utf8(encodeCanonical(report))))
  const signatures = [{ protected: header, signature: toBase64url(signature) }]
  return `${JSON.stringify({ ...report, signatures }, null, 2)}\n`
}

/** Reads a file by SPEC DR-1 to DR-9, in that order; the first rule that fails gives the code. */
export function decodeReport(bytes: Uint8Array): ReportDecoding {
  // [REJECT] DR-1: size.
  if (bytes.length > REPORT_BYTES_MAX) return refused('REPORT_TOO_LARGE', `${bytes.length} bytes`)
  // [REJECT] DR-2: one I-JSON text.
  const decoded = decodeIJson(bytes)
  if (!decoded.ok) return refused(decoded.code, decoded.detail)
  const { value } = decoded
  // [REJECT] DR-3: what it is.
  if (!isJsonObject(value)) return refused('REPORT_INVALID', 'report: expected an object')
  if (isIntegerBetween(value['schema_version'], 2, Number.MAX_SAFE_INTEGER))
    return refused('UNKNOWN_VERSION', `version ${value['schema_version']}`)
  // [REJECT] DR-4 to DR-7: exactly the members, of the right form, and of one mind.
  const { signatures, ...signed } = value
  const problem = reportProblem(value)
  if (problem !== null) return refused('REPORT_INVALID', problem)
  const report = signed as unknown as DrillReport
  // [REJECT] DR-8, DR-9: the drill's signature.
  const wrong = signatureProblem(signatures as JsonValue, report)
  return wrong === null
    ? { ok: true, report }
    : { ok: false, code: 'SIGNATURE_INVALID', detail: wrong, claimed: report }
}

function signatureProblem(signatures: JsonValue, report: DrillReport): string | null {
  const [entry, second] = Array.isArray(signatures) ? (signatures as readonly JsonValue[]) : []
  if (!isJsonObject(entry) || second !== undefined || Object.keys(entry).length !== 2)
    return 'signatures: not exactly one, of protected and signature'
  const { protected: header, signature } = entry
  if (header !== protectedHeader(report.kid, typOfPurpose('drill-report')))
    return 'signatures[0].protected: not that of the kid and the purpose'
  const bytes = isStringLike(signature, /^[A-Za-z0-9_-]{86}$/) ? fromBase64url(signature) : null
  if (bytes?.length !== SIGNATURE_BYTES)
    return `signatures[0].signature: expected base64url of ${SIGNATURE_BYTES} bytes`
  const checked = checkPublicKey(publicKeyOfDidKey(report.signer) ?? new Uint8Array())
  if (!checked.ok) return `signer: ${checked.detail}`
  if (!verifyEd25519(checked.key, signingInput(header, utf8(encodeCanonical(report))), bytes))
    return 'signatures[0]: the signature is not that of the signer over what the report says'
  return null
}

function refused(code: ReportCode, detail: string): ReportDecoding {
  return { ok: false, code, detail, claimed: null }
}
