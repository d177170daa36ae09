import type { AuditAction, AuditEntry, AuditTrail } from '../platform/audit.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { ofThisRequest } from '../platform/request-scope.ts'

/** Does work that is audited, however it ends. What failed as a defect is audited without a reason. */
export async function audited<Result>(
  audit: AuditTrail,
  { action, actor, subject }: { readonly action: AuditAction; readonly actor: string; readonly subject: string },
  work: () => Promise<Result>,
  detailOf: (result: Result) => AuditEntry['detail'] & { readonly subject?: string } = () => ({})
): Promise<Result> {
  const about = { action, actor, ...ofThisRequest() }
  try {
    const result = await work()
    const { subject: named = subject, ...detail } = detailOf(result) ?? {}
    audit.record({ ...about, subject: named, outcome: 'ok', code: null, detail })
    return result
  } catch (error) {
    const known = error instanceof AnchormeshError
    const refusedWith = known && error.code === 'PUBLISH_REFUSED' ? error.detail?.['code'] : undefined
    const code = known ? (typeof refusedWith === 'string' ? refusedWith : error.code) : 'INTERNAL'
    audit.record({ ...about, subject, outcome: known ? 'refused' : 'failed', code })
    throw error
  }
}
