import { connect } from 'node:net'
import fc from 'fast-check'
import { expect } from 'vitest'
import { z } from 'zod'
import { operationsIn } from './openapi.ts'
import type { Document, Operation, Parameter, Response, Schema } from './openapi.ts'

/** A request as it goes over the wire, and the operation that it was made from. */
export interface FuzzedRequest {
  readonly operation: Operation
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: Buffer | null
}

export interface FuzzedAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Text as nobody means it. */
const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '-1',
    '0',
    '1e2',
    '9007199254740992',
    '99999999999999999999999999',
    'NaN',
    'null',
    'true',
    '[object Object]',
    '../../etc/passwd',
    '%',
    '__proto__',
    'constructor',
    '\u0000',
    "'; drop table rows; --",
    '𝒳'.repeat(9),
    'did:key:z6Mk',
    'a!b!c',
    '_trust'
  ),
  fc.integer({ min: 1, max: 9_000 }).map((length) => 'x'.repeat(length))
)

/** How a value gets into a query: as browsers write it, or as they should not. */
const written = fc.constantFrom<(text: string) => string>(
  (text) => encodeURIComponent(text.toWellFormed()),
  (text) => encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+'),
  (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  () => '%zz',
  () => '%ff%fe',
  (text) => encodeURIComponent(text.toWellFormed()).slice(0, -1)
)

/** What fits a parameter, and what the node may know of. */
function fitting({ name, schema, example }: Parameter, known: KnownValues): fc.Arbitrary<string> {
  const words = known[name] ?? []
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as string[]))
  if (schema['type'] === 'integer') {
    const { minimum = 0, maximum = 9_007_199_254_740_991 } = schema as { minimum?: number; maximum?: number }
    const near = fc.integer({ min: minimum, max: Math.min(maximum, minimum + 60) })
    // A position that is not there yet is waited for, 5 s each time.
    if (name === 'waitFor' || name === 'at') return fc.integer({ min: 0, max: 5 }).map(String)
    return fc
      .oneof(
        near,
        fc.maxSafeNat().filter((value) => value <= maximum && value >= minimum)
      )
      .map(String)
  }
  return words.length > 0 ? fc.constantFrom(...words, String(example)) : fc.constant(String(example))
}

/** Values that the node has, by the name of the parameter. */
export type KnownValues = Readonly<Record<string, readonly string[]>>

interface Given {
  readonly parameter: Parameter
  readonly values: readonly string[]
}

function given(parameter: Parameter, known: KnownValues): fc.Arbitrary<Given> {
  const good = fitting(parameter, known).map((text) => [encodeURIComponent(text)])
  const bad = fc.tuple(oddText, written).map(([text, write]) => [write(text)])
  const twice = fc
    .tuple(fitting(parameter, known), fitting(parameter, known))
    .map((both) => both.map(encodeURIComponent))
  const left = fc.constant<string[]>([])
  const values =
    parameter.in === 'path'
      ? fc.oneof({ weight: 6, arbitrary: good }, { weight: 2, arbitrary: bad })
      : parameter.required === true
        ? fc.oneof({ weight: 8, arbitrary: good }, bad, twice, left)
        : fc.oneof(
            { weight: 3, arbitrary: good },
            { weight: 1, arbitrary: bad },
            { weight: 1, arbitrary: twice },
            { weight: 12, arbitrary: left }
          )
  return values.map((list) => ({ parameter, values: list }))
}

const extra = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.tuple(oddText, oddText, written).map(([name, value, write]) => `${write(name)}=${write(value)}`)
  },
  { weight: 1, arbitrary: fc.constantFrom('&&&', '=', '?', '#x', 'namespace[]=a', 'a[b]=c', '__proto__[x]=1') }
)

const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

const someBody = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  fc.integer({ min: 1, max: 100_000 }).map((depth) => Buffer.from(deep(depth))),
  fc.constantFrom(0, 49_152, 49_153, 1_048_576, 1_048_577).map((bytes) => Buffer.alloc(bytes, 0x7b)),
  fc
    .constantFrom('{', '{"a":1,"a":2}', '{"__proto__":{"x":1}}', '"\\ud800"', '\ufeff{}', '1e999', '{"v":1}')
    .map((text) => Buffer.from(text))
)

const someMediaType = (operation: Operation['operation']): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...Object.keys(operation.requestBody?.content ?? {}),
    ...Object.keys(operation.requestBody?.content ?? {}),
    'application/json',
    'text/plain',
    'application/json; charset=utf-16',
    'multipart/form-data',
    'nonsense',
    'a/b/c'
  )

const someHeaders = fc.subarray(
  [
    'accept: text/nothing',
    'accept-encoding: gzip, br;q=1.0',
    'if-none-match: *',
    'if-none-match: "a", W/"b"',
    'range: bytes=0-1',
    'origin: https://elsewhere.example',
    'x-forwarded-proto: gopher',
    'cookie: a=b; __proto__=c',
    'accept-language: \u00e4\u00f6',
    'expect: 100-continue',
    'content-encoding: gzip'
  ],
  { maxLength: 3 }
)

/** Requests for every operation of the document, some good and many broken. */
export function someRequest(document: Document, known: KnownValues): fc.Arbitrary<FuzzedRequest> {
  return fc.constantFrom(...operationsIn(document)).chain((operation) => requestFor(operation, known))
}

function requestFor(operation: Operation, known: KnownValues): fc.Arbitrary<FuzzedRequest> {
  const { parameters = [], requestBody } = operation.operation
  const method = fc.oneof(
    { weight: 12, arbitrary: fc.constant(operation.method.toUpperCase()) },
    { weight: 1, arbitrary: fc.constantFrom('HEAD', 'OPTIONS', 'DELETE', 'PUT', 'PATCH', 'POST') }
  )
  const takesBody = requestBody !== undefined
  const body = fc.option(someBody, { nil: null, freq: takesBody ? 9 : 1 })
  return fc
    .tuple(
      method,
      fc.tuple(...parameters.map((one) => given(one, known))),
      extra,
      someHeaders,
      someMediaType(operation.operation),
      body
    )
    .map(([sent, givens, more, headers, mediaType, bytes]) => {
      let path = operation.path
      const search: string[] = []
      for (const { parameter, values } of givens) {
        if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, values.join(','))
        else search.push(...values.map((value) => `${parameter.name}=${value}`))
      }
      if (more !== '') search.push(more)
      const withBody = bytes !== null && (takesBody || sent !== 'GET') && sent !== 'HEAD'
      return {
        operation,
        method: sent,
        target: search.length === 0 ? path : `${path}?${search.join('&')}`,
        headers: [...headers, ...(withBody ? [`content-type: ${mediaType}`] : [])],
        body: withBody ? bytes : null
      }
    })
}

/** Sends a request over a connection of its own, whatever bytes it is made of, and reads the whole answer. */
export async function send(url: string, { method, target, headers, body }: FuzzedRequest): Promise<FuzzedAnswer> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  const lines = [`${method} ${target} HTTP/1.1`, `host: ${host}`, 'connection: close', ...headers]
  if (body !== null) lines.push(`content-length: ${body.length}`)
  socket.on('error', () => undefined)
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (body !== null) socket.write(body)
  const chunks: Buffer[] = []
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer)
  } catch (error) {
    // Refused before all of it was read: the answer came, or it did not.
    if (chunks.length === 0) throw error
  }
  return parsed(Buffer.concat(chunks))
}

function parsed(bytes: Buffer): FuzzedAnswer {
  const text = bytes.toString('latin1')
  // `expect: 100-continue` has a line of its own before the answer.
  const start = text.startsWith('HTTP/1.1 100') ? text.indexOf('\r\n\r\n') + 4 : 0
  const end = text.indexOf('\r\n\r\n', start)
  const [line = '', ...lines] = text.slice(start, end).split('\r\n')
  const status = Number(line.split(' ')[1])
  const headers = new Map(
    lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()])
  )
  const rest = bytes.subarray(end + 4)
  const body = headers.get('transfer-encoding') === 'chunked' ? unchunked(rest) : rest
  return { status, headers, body: body.toString('utf8') }
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf('\r\n', from)
    const size = Number.parseInt(bytes.subarray(from, end).toString('latin1'), 16)
    if (!(size > 0)) break
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    from = end + 2 + size + 2
  }
  return Buffer.concat(parts)
}

/** Holds answers to what the document says of their operation. */
export class Fits {
  readonly #document: Document
  readonly #schemas = new Map<Schema, z.ZodType>()

  constructor(document: Document) {
    this.#document = document
  }

  check(request: FuzzedRequest, answer: FuzzedAnswer): void {
    const { method, target, operation } = request
    const about = `${method} ${target.slice(0, 300)} → ${answer.status} ${answer.body.slice(0, 300)}`
    expect(answer.status, about).toBeGreaterThanOrEqual(200)
    expect(answer.status, about).not.toBe(500)
    const isOwn = method === operation.method.toUpperCase()
    const told: Response | undefined = operation.operation.responses?.[String(answer.status)]
    const mediaType = answer.headers.get('content-type')?.split(';')[0] ?? ''
    if (mediaType === 'application/problem+json' && answer.body !== '') {
      const problem = this.#schemaOf({ $ref: '#/components/schemas/Problem' }).parse(JSON.parse(answer.body)) as {
        readonly status: number
        readonly code: string
      }
      expect(problem.status, about).toBe(answer.status)
      if (told !== undefined && isOwn) expect(told.description, about).toContain(`\`${problem.code}\``)
    }
    // Of another method or path the document says nothing.
    if (!isOwn || (answer.status === 404 && told === undefined)) return
    expect(told, about).toBeDefined()
    if (answer.body === '' || answer.status === 304) return
    const content = told?.content?.[mediaType]
    expect(content, `${about} as ${mediaType}`).toBeDefined()
    if (content === undefined || mediaType === 'text/plain') return
    const found = this.#schemaOf(content.schema).safeParse(JSON.parse(answer.body))
    expect(found.success ? '' : z.prettifyError(found.error), about).toBe('')
  }

  #schemaOf(schema: Schema): z.ZodType {
    const known = this.#schemas.get(schema)
    if (known !== undefined) return known
    const $defs = this.#document.components.schemas
    const text = JSON.stringify({ ...schema, $defs }).replaceAll('#/components/schemas/', '#/$defs/')
    const made = z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0])
    this.#schemas.set(schema, made)
    return made
  }
}
