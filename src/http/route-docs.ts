import { z } from 'zod'
import { PROBLEM_MEDIA_TYPE, problemSchema } from '../api/problem.ts'
import { statusOf } from './errors.ts'
import type { HttpCode } from './errors.ts'

/** What the documentation puts together. */
export const ROUTE_TAGS = {
  queries: 'What this node derived from its log, page by page.',
  subscriptions: 'Changes as they happen.',
  receipts: 'Records: handed in, and proven.',
  federation: 'Between nodes: events, requests, packs, deliveries.',
  tenants: 'Telemetry, findings and feedback of a tenant.',
  log: 'Signed checkpoints of the log, and proofs against them.',
  operations: 'How the node is.'
} as const
export type RouteTag = keyof typeof ROUTE_TAGS

/** A whole answer that is no JSON of a schema. */
export interface OtherAnswer {
  readonly description: string
  readonly mediaType: string
  readonly schema: z.ZodType
}

/** A body that the route reads and checks itself. */
export interface RawBody {
  readonly mediaType: string
  readonly schema: z.ZodType
}

/** Schemas of answers by status. */
type Answers = Readonly<Record<number, z.ZodType>>

export interface RouteDocs<Told extends Answers> {
  /** A few words. */
  readonly summary: string
  /** What else a caller has to know; Markdown. */
  readonly description: string
  readonly tag: RouteTag
  /** JSON answers by status. */
  readonly answers: Told
  /** Answers in other media types, by status. */
  readonly others?: Readonly<Record<number, OtherAnswer>>
  /** Statuses without a body, and what they say. */
  readonly empty?: Readonly<Record<number, string>>
  /** What the route refuses with, beside what every route may. */
  readonly problems?: readonly HttpCode[]
  /**
   * `reader`: on loopback anybody, elsewhere whoever may read. `follower`: the same, by a ticket, too. `anyone`: nothing
   * is asked for. `token`: always one.
   */
  readonly access: 'reader' | 'follower' | 'anyone' | 'token'
  /** Of a route that takes a body: `schema` where it has one beside this, else its media type and form. */
  readonly body?: 'schema' | RawBody
}

/** What fastify takes as the documentation of a route, beside the schemas of its parameters. */
export interface DocumentedRoute<Told extends Answers> {
  readonly summary: string
  readonly description: string
  readonly tags: readonly [RouteTag]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly response: Told
  /** For the documentation alone: the route checks its body itself. */
  readonly 'x-body'?: RawBody
}

/** Of every route: from the listener itself, whatever is asked for. */
const ALWAYS: readonly HttpCode[] = [
  'QUERY_INVALID',
  'BODY_MALFORMED',
  'HOST_NOT_ALLOWED',
  'CERTIFICATE_REQUIRED',
  'CERTIFICATE_NOT_PINNED',
  'NOT_FOUND',
  'REQUEST_TIMEOUT',
  'RATE_LIMITED',
  'HEADERS_TOO_LARGE',
  'INTERNAL',
  'NODE_NOT_RUNNING',
  'OVERLOADED',
  'TOO_MANY_CONNECTIONS',
  'STORE_CORRUPT'
]
const OF_EVERYBODY: readonly HttpCode[] = ['TOKEN_INVALID', 'TOKEN_EXPIRED']
const OF_READERS: readonly HttpCode[] = ['TOKEN_REQUIRED', ...OF_EVERYBODY, 'ACCESS_DENIED']
/** For `empty`, of answers with an ETag. */
export const NOT_MODIFIED = { 304: 'It is the one that the client has (`If-None-Match`).' } as const
/** Of every route that takes an event in. */
export const EVENT_CODES = [
  'EVENT_TOO_LARGE',
  'MALFORMED',
  'NOT_CANONICAL',
  'DUPLICATE_KEY',
  'NUMBER_NOT_IJSON',
  'LONE_SURROGATE',
  'UNKNOWN_VERSION',
  'SCHEMA_INVALID',
  'SIGNATURE_INVALID',
  'SIGNER_MISMATCH',
  'KEY_WEAK',
  'CHAIN_BROKEN',
  'FUTURE_TIMESTAMP',
  'NAMESPACE_NOT_CARRIED',
  'SIGNER_NOT_MEMBER',
  'RATE_LIMITED',
  'OVERLOADED',
  'STORE_FULL',
  'SAME_ID_OTHER_BYTES'
] as const satisfies readonly HttpCode[]
const OF_BODIES: readonly HttpCode[] = ['BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED', 'BODY_INVALID']

const TOKEN = { bearer: [] }
const READER = [{}, TOKEN, { certificate: [] }]
const SECURITY = { anyone: [], reader: READER, follower: [...READER, { ticket: [] }], token: [TOKEN] } as const

/**
 * What a route's `schema` says for `/openapi.json`: spread it beside `params`, `querystring` and `body`. Each status that
 * the route can answer with is there, problems with their codes.
 */
export function documented<const Told extends Answers>(docs: RouteDocs<Told>): DocumentedRoute<Told> {
  const { summary, description, tag, answers, others = {}, empty = {}, problems = [], access, body } = docs
  const codes = [
    ...ALWAYS,
    ...(access === 'anyone' ? OF_EVERYBODY : OF_READERS),
    ...(body === undefined ? [] : OF_BODIES),
    ...problems
  ]
  const response: Record<string, unknown> = {}
  for (const [status, told] of byStatus(codes)) {
    response[status] = {
      description: told.map((code) => `\`${code}\``).join(', '),
      content: { [PROBLEM_MEDIA_TYPE]: { schema: problemSchema } }
    }
  }
  const put = (status: string, content: string, schema: z.ZodType, text: string): void => {
    const before = response[status] as { readonly description: string; readonly content: object } | undefined
    const known = before === undefined ? '' : ` Or ${before.description}.`
    response[status] = { description: text + known, content: { [content]: { schema }, ...before?.content } }
  }
  for (const [status, schema] of Object.entries(answers)) put(status, 'application/json', schema, `${summary}.`)
  for (const [status, other] of Object.entries(others)) put(status, other.mediaType, other.schema, other.description)
  const security = SECURITY[access]
  const raw = body === undefined || body === 'schema' ? {} : { 'x-body': body }
  const route = { summary, description, tags: [tag] as const, security, ...raw }
  // Handlers are held to the answers alone: problems are thrown.
  for (const [status, text] of Object.entries(empty)) response[status] = z.null().describe(text)
  return { ...route, response: response as unknown as Told }
}

function byStatus(codes: readonly HttpCode[]): Map<string, HttpCode[]> {
  const found = new Map<string, HttpCode[]>()
  for (const code of new Set(codes)) {
    const status = String(statusOf(code))
    found.set(status, [...(found.get(status) ?? []), code])
  }
  return found
}
