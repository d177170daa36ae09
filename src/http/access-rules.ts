import type { FastifyRequest } from 'fastify'
import { isLoopback } from '../policy/listen-address.ts'
import { isLoopbackHost } from './addresses.ts'

/**
 * What is answered to everybody, by route: what says nothing that is not public, or asks for a signature of its own.
 * Everything else that a public listener has, now or later, asks for a reader.
 */
const OPEN: ReadonlySet<string> = new Set([
  // Whether the node is well; the rest of these answers is for readers.
  'GET /health',
  'GET /livez',
  'GET /readyz',
  // Packs and checkpoints are published.
  'GET /v1/packs/:orgId',
  'POST /v1/packs',
  'GET /v1/log/checkpoint',
  'GET /v1/log/inclusion',
  'GET /v1/log/consistency',
  // Who this is, and what it can be asked.
  'GET /v1/federation/node',
  'GET /openapi.json',
  // Signed by whom policy or an operator knows.
  'POST /federation/announce',
  'POST /federation/request',
  'POST /v1/federation/challenge',
  'POST /v1/federation/deliver',
  'POST /v1/tenants/:tenant/telemetry',
  'POST /v1/tenants/:tenant/feedback',
  // Browsers ask before they ask.
  'OPTIONS /*'
])
const VIEWER = /^\/docs(?:\/|$)/

/** Headers of those who hand on what others ask: then the address at the other end is not the reader's. */
const HANDED_ON = ['forwarded', 'via', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip'] as const

/** Whether the route answers everybody. */
export function isOpen({ method, routeOptions: { url } }: FastifyRequest): boolean {
  if (url === undefined) return false
  const asked = method === 'HEAD' ? 'GET' : method
  return OPEN.has(`${asked} ${url}`) || (asked === 'GET' && VIEWER.test(url))
}

/** Whether the route asks for the admin token, by itself. */
export function isAdmin({ routeOptions: { url } }: FastifyRequest): boolean {
  return url?.startsWith('/v1/admin/') === true
}

/** Whether the other end of the connection is on this machine. */
export function isFromLoopback({ ip }: FastifyRequest): boolean {
  return isLoopback(ip.replace(/^::ffff:/i, ''))
}

/**
 * Whether somebody on this machine asks for themselves. A reverse proxy on it asks for others: it is known by the
 * headers that proxies add, by the name that it was asked for, or by HTTP/1.0, which proxies that add no header speak by
 * default and nobody else does.
 */
export function isLocal(request: FastifyRequest): boolean {
  const { headers, raw } = request
  return (
    isFromLoopback(request) &&
    isLoopbackHost(headers.host) &&
    raw.httpVersion !== '1.0' &&
    HANDED_ON.every((name) => headers[name] === undefined) &&
    !Object.keys(headers).some((name) => name.startsWith('x-forwarded'))
  )
}

/**
 * Whether a page of another origin asks for a WebSocket. Browsers let pages read nothing of other origins but these, so
 * what the reader did not show on purpose (an address, a certificate) must not count for it.
 */
export function isForeignUpgrade({ headers }: FastifyRequest, allowed: ReadonlySet<string>): boolean {
  const { origin, upgrade, host } = headers
  if (upgrade === undefined || origin === undefined || allowed.has(origin)) return false
  return origin !== `http://${host ?? ''}` && origin !== `https://${host ?? ''}`
}
