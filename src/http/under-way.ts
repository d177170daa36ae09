import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PlaceLimits } from '../platform/places.ts'
import { Places } from '../platform/places.ts'
import { addressBlock } from './address-block.ts'
import { RequestRefused } from './errors.ts'

/**
 * A `preParsing` hook that bounds how many requests with large bodies are under way, from before the body is read until
 * the answer is out: of all, and of one address (IPv6: of one network). Refuses with `OVERLOADED`.
 */
export function boundUnderWay(limits: PlaceLimits): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const places = new Places(limits)
  return async ({ ip }, reply) => {
    const giveBack = places.take(addressBlock(ip))
    if (giveBack === null) throw new RequestRefused('OVERLOADED', 'as many requests as are taken are under way')
    reply.raw.once('close', giveBack)
  }
}
