import type { FastifyReply } from 'fastify'
import type { SubmitOutcome } from '../operations.ts'
import { problem, statusOf } from './errors.ts'
import { sendProblem } from './failures.ts'

/** Answers with the ingest door's outcome, with the status of its code. */
export function answerOutcome(reply: FastifyReply, outcome: SubmitOutcome, requestId: string): FastifyReply {
  switch (outcome.outcome) {
    case 'accepted':
      return reply.code(201).send(outcome)
    case 'duplicate':
      return reply.code(200).send(outcome)
    case 'pending':
      return reply.code(statusOf(outcome.code)).send(outcome)
    default: {
      const { code, detail, id } = outcome
      return sendProblem(reply, problem(code, detail, requestId, { outcome: outcome.outcome, id }))
    }
  }
}
