import type { FastifyRequest } from 'fastify'
import { RateLimiter, perMinute } from '../ingest/rate-limiter.ts'
import type { Clock } from '../platform/clock.ts'
import { addressBlock } from './address-block.ts'
import { RequestRefused } from './errors.ts'

// Addresses that asked lately; forgetting one only lets it ask anew. About 1 MiB.
const ADDRESSES_MAX = 10_000

/**
 * A `preParsing` hook that bounds the requests of one address (IPv6: of one network) in a minute, before the body is
 * read. Refuses with `RATE_LIMITED`.
 */
export function boundRate(requestsPerMinute: number, clock: Clock): (request: FastifyRequest) => Promise<void> {
  const rates = new RateLimiter(clock, ADDRESSES_MAX)
  return async ({ ip }) => {
    if (rates.take(perMinute(addressBlock(ip), requestsPerMinute))) return
    throw new RequestRefused('RATE_LIMITED', `more than ${requestsPerMinute} requests a minute`)
  }
}
