import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'

/**
 * An `onRequest` hook that decides at once: what `check` throws refuses the request. It needs no promise, and a promise
 * for each hook would cost a request more than most of them look at.
 */
export function checking(check: (request: FastifyRequest, reply: FastifyReply) => void): onRequestHookHandler {
  return (request, reply, done) => {
    let refusal: unknown
    try {
      check(request, reply)
    } catch (error) {
      refusal = error
    }
    done(refusal as Error | undefined)
  }
}
