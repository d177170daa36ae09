import type { DrillReply, NoReply } from './http-client.ts'
import type { StepResult } from './steps.ts'
import { problemIn } from './target-calls.ts'

/** What a step says of an answer that is not the one it hoped for. */
export function failedReply(reply: DrillReply | NoReply): StepResult<never> {
  if (!reply.ok) return { passed: false, code: reply.code, detail: reply.detail }
  const { status } = reply
  if (status >= 300 && status < 400)
    return { passed: false, status, code: 'REDIRECTED', detail: 'it sends elsewhere, which is not followed' }
  const { code, detail } = problemIn(reply)
  return { passed: false, status, code: code ?? 'UNEXPECTED_ANSWER', detail }
}

/** Passes where the status is the one that is named, and `read` finds in the answer what is needed. */
export function succeeded<Value>(
  reply: DrillReply | NoReply,
  status: number,
  read: (reply: DrillReply) => Value | undefined
): StepResult<Value> {
  if (!reply.ok || reply.status !== status) return failedReply(reply)
  const value = read(reply)
  if (value === undefined)
    return {
      passed: false,
      status,
      code: 'UNEXPECTED_ANSWER',
      detail: 'the answer is not of the form that it should be'
    }
  return { passed: true, status, value }
}

/** Passes where the target refuses, with this status and code, and, where one is named, this detail. */
export function refusedWith(
  reply: DrillReply | NoReply,
  status: number,
  code: string,
  detail?: string
): StepResult<true> {
  if (!reply.ok) return failedReply(reply)
  if (reply.status < 300)
    return { passed: false, status: reply.status, code: 'NOT_REFUSED', detail: `expected ${status} ${code}` }
  const told = problemIn(reply)
  const isIt = reply.status === status && told.code === code && (detail === undefined || told.detail === detail)
  if (isIt) return { passed: true, value: true, status, code, detail: told.detail }
  const expected = `expected ${status} ${code}${detail === undefined ? '' : ` with the detail ${detail}`}`
  return {
    passed: false,
    status: reply.status,
    code: told.code ?? 'UNEXPECTED_ANSWER',
    detail: `${expected}: ${told.detail}`
  }
}
