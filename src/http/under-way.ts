import type { FastifyReply, FastifyRequest } from 'fastify'
import { addressBlock } from './address-block.ts'
import { RequestRefused } from './errors.ts'

export interface UnderWayLimits {
  readonly all: number
  /** Of one address (IPv6: of one network). */
  readonly ofAddress: number
}

/**
 * A `preParsing` hook that bounds how many requests with large bodies are under way, from before the body is read until
 * the answer is out. Refuses with `OVERLOADED`.
 */
export function boundUnderWay(limits: UnderWayLimits): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  // As many entries as there are requests under way.
  const ofAddress = new Map<string, number>()
  let all = 0
  return async ({ ip }, reply) => {
    const address = addressBlock(ip)
    const own = ofAddress.get(address) ?? 0
    if (all >= limits.all || own >= limits.ofAddress)
      throw new RequestRefused('OVERLOADED', 'as many requests as are taken are under way')
    all += 1
    ofAddress.set(address, own + 1)
    reply.raw.once('close', () => {
      all -= 1
      const left = (ofAddress.get(address) ?? 1) - 1
      if (left === 0) ofAddress.delete(address)
      else ofAddress.set(address, left)
    })
  }
}
