import { encodeReport } from '../../protocols/drill-report/v1/report.ts'
import type { DrillReport } from '../../protocols/drill-report/v1/report.ts'
import { STEP_OF } from '../../protocols/drill-report/v1/report-shape.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { drillHttp } from './http-client.ts'
import { plainUrl } from './plain-url.ts'
import type { DrillPorts, DrillTarget } from './drill-target.ts'
import { goThrough } from './exercise.ts'
import type { Findings } from './exercise.ts'
import { newRunId } from './run-id.ts'
import { StepBook } from './steps.ts'
import { TargetCalls } from './target-calls.ts'

/** A drill that is over. */
export interface Drill {
  readonly report: DrillReport
  /** The report as it is to be kept. */
  readonly file: string
  /** No step failed for another reason than that the target could not be reached. */
  readonly unreachable: boolean
}

/**
 * Acts as an external node towards a target: registers a key that is made for this run, asks for a token, delivers,
 * checks the receipt, tries what has to be refused, and takes the key back. Rejects with the signal's reason alone; the
 * key is taken back then, too.
 */
export async function runDrill(target: DrillTarget, ports: DrillPorts): Promise<Drill> {
  const { clock, random, signal, secrets, adminToken, version } = ports
  secrets.add(adminToken)
  const http = drillHttp({ tls: target.tls, clock, timeoutMs: target.timeoutMs })
  const calls = new TargetCalls(target, { http, clock, random, secrets, adminToken }, signal)
  const steps = new StepBook(clock, secrets)
  const signer = calls.newKey()
  const testTime = clock.now()
  const drillId = newRunId(isoOf(testTime), random)
  const findings = await goThrough({ target, signer, drillId, calls, steps, ports })
  const report: DrillReport = {
    schema_version: 1,
    drill_id: drillId,
    target: target.name,
    base_url: plainUrl(target.base),
    remote_node_id: target.remoteNodeId,
    signer: signer.did,
    kid: signer.kid,
    test_time: isoOf(testTime),
    // A clock that was set back meanwhile must not make the report one that nobody takes.
    finished_time: isoOf(Math.max(testTime, clock.now())),
    ...conclusionOf(steps),
    steps: steps.steps,
    ...evidenceOf(findings),
    versions: { drill: version, target: findings.targetVersion }
  }
  const file = await encodeReport(report, (input) => signer.sign(input))
  if (secrets.areIn(file)) throw new AnchormeshError('INTERNAL', 'a token got into a report, which was thrown away')
  return { report, file, unreachable: isUnreachable(steps) }
}

function conclusionOf(steps: StepBook): Pick<DrillReport, 'passed' | keyof typeof STEP_OF> {
  return {
    passed: steps.steps.every(({ outcome }) => outcome === 'passed'),
    challenge_issue_passed: steps.hasPassed(STEP_OF.challenge_issue_passed),
    delivery_passed: steps.hasPassed(STEP_OF.delivery_passed),
    receipt_signature_verified: steps.hasPassed(STEP_OF.receipt_signature_verified),
    replay_guard_passed: steps.hasPassed(STEP_OF.replay_guard_passed)
  }
}

function evidenceOf(
  findings: Findings
): Pick<DrillReport, 'delivery_hash' | 'receipt' | 'inclusion_proof' | 'node_document'> {
  const { deliveryHash, receipt, inclusionProof, nodeDocument } = findings
  return {
    delivery_hash: deliveryHash,
    receipt,
    inclusion_proof: inclusionProof,
    node_document: nodeDocument
  }
}

function isUnreachable({ steps }: StepBook): boolean {
  const failed = steps.filter(({ outcome }) => outcome === 'failed')
  return failed.length > 0 && failed.every(({ code }) => code === 'UNREACHABLE' || code === 'TIMED_OUT')
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
