import type { z } from 'zod'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { splitLines } from '../platform/lines.ts'
import type { Problem } from './errors.ts'
import { failureOfProblem, problemSchema } from './errors.ts'
import { PROBLEM_MEDIA_TYPE } from './failures.ts'
import { STREAM_LINE_BYTES_MAX, UPLOAD_CHUNK_BYTES } from './limits.ts'
import { FRAMES_MEDIA_TYPE } from './frames.ts'
import { LINES_MEDIA_TYPE } from './lines.ts'
import { pinnedFetch } from './pinned-fetch.ts'

export interface AdminAddress {
  /** `http://host:port`, or `https`. */
  readonly url: string
  readonly token: string
  /** SHA-256 of the certificate that is trusted at an `https` address, and no other; those that Node trusts, without. */
  readonly pin?: string
}

export interface AdminRequest {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/admin/`. */
  readonly path: string
  /** Members that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: { readonly type: string; readonly content: Uint8Array | string | AsyncIterable<Uint8Array> }
  readonly signal?: AbortSignal
}

/** An answer whose header has come. */
export interface Answered {
  readonly response: Response
  /** What the content of the request's body threw, which fetch hides behind an error of its own; null when nothing. */
  readonly uploadFailure: () => { readonly error: unknown } | null
}
export type Answer = ({ readonly ok: true } & Answered) | { readonly ok: false; readonly problem: Problem }

/** What a node answers with when all is well. */
const ANSWER_TYPES: ReadonlySet<string> = new Set(['application/json', LINES_MEDIA_TYPE, FRAMES_MEDIA_TYPE])

const UNREACHABLE = { what: 'does not answer', hint: 'Start it: anchormesh start' }
const BROKEN_OFF = { what: 'broke its answer off', hint: 'The log of the node says why.' }

/** Requests to one admin listener. Connections are kept for a few seconds and do not keep the process alive. */
export class AdminTransport {
  readonly #address: AdminAddress

  constructor(address: AdminAddress) {
    this.#address = address
  }

  /**
   * Sends a request and waits for the header of its answer. Throws `NODE_NOT_RUNNING` when nobody answers, or somebody
   * else, and what the content of the body throws.
   */
  async exchange({ method, path, query = {}, body, signal }: AdminRequest): Promise<Answer> {
    const url = new URL(`/v1/admin/${path}`, this.#address.url)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value))
    const upload = uploadOf(body?.content)
    let response: Response
    try {
      const headers = {
        authorization: `Bearer ${this.#address.token}`,
        ...(body === undefined ? {} : { 'content-type': body.type })
      }
      const { pin } = this.#address
      const sending = { method, headers, ...(signal === undefined ? {} : { signal }) }
      const content = upload.body === null ? {} : { body: upload.body }
      response =
        pin === undefined
          ? // An admin listener sends nobody elsewhere; whoever does must not get the token.
            await fetch(url, {
              ...sending,
              ...content,
              redirect: 'error',
              ...(upload.body === null ? {} : { duplex: 'half' })
            })
          : await pinnedFetch(url, pin, { ...sending, ...content })
    } catch (error) {
      throw this.#failure(UNREACHABLE, error, upload.failure)
    }
    const answered = { response, uploadFailure: upload.failure }
    const type = response.headers.get('content-type')?.split(';', 1)[0]
    if (response.ok && type !== undefined && ANSWER_TYPES.has(type)) return { ok: true, ...answered }
    const parsed = problemSchema.safeParse(type === PROBLEM_MEDIA_TYPE ? jsonOf(await this.#text(answered)) : undefined)
    if (parsed.success) return { ok: false, problem: parsed.data }
    await response.body?.cancel()
    throw new AnchormeshError('NODE_NOT_RUNNING', `what listens at ${this.#address.url} is no Anchormesh node`, {
      detail: { url: this.#address.url, status: response.status }
    })
  }

  /** The answer to a request. Throws as `exchange` does, and the failure that an error answer tells of. */
  async send(request: AdminRequest): Promise<Answered> {
    const answer = await this.exchange(request)
    if (answer.ok) return answer
    throw failureOfProblem(answer.problem)
  }

  /** The JSON that a request is answered with. */
  async json<Value>(schema: z.ZodType<Value>, request: AdminRequest): Promise<Value> {
    return await this.value(schema, await this.send(request))
  }

  /** The JSON of an answer. */
  async value<Value>(schema: z.ZodType<Value>, answered: Answered): Promise<Value> {
    return checked(schema, await this.#text(answered))
  }

  /** The body of an answer as it comes in. Throws `NODE_NOT_RUNNING` when it is cut off. */
  async *chunks({ response, uploadFailure }: Answered): AsyncGenerator<Uint8Array> {
    if (response.body === null) return
    try {
      // Who stops reading ends the request.
      for await (const chunk of response.body) yield chunk
    } catch (error) {
      throw this.#failure(BROKEN_OFF, error, uploadFailure)
    }
  }

  /** The values of an answer of lines. Throws the failure that its last line may tell of. */
  async *lines<Value>(schema: z.ZodType<Value>, answered: Answered): AsyncGenerator<Value> {
    for await (const bytes of splitLines(this.chunks(answered), STREAM_LINE_BYTES_MAX)) {
      const line = Buffer.from(bytes).toString('utf8')
      if (line.trim() === '') continue
      const failed = line.startsWith('{"error":') ? failureIn(line) : null
      if (failed !== null) throw failed
      yield checked(schema, line)
    }
  }

  async #text({ response, uploadFailure }: Answered): Promise<string> {
    try {
      return await response.text()
    } catch (error) {
      throw this.#failure(BROKEN_OFF, error, uploadFailure)
    }
  }

  /** What the content of the body threw, or else that the connection failed. */
  #failure({ what, hint }: typeof UNREACHABLE, error: unknown, uploadFailure: Answered['uploadFailure']): unknown {
    const failed = uploadFailure()
    if (failed !== null) return failed.error
    const { url } = this.#address
    return new AnchormeshError('NODE_NOT_RUNNING', `the node at ${url} ${what}: ${reasonOf(error)}`, {
      hint,
      detail: { url },
      cause: error
    })
  }
}

/** The value of an answer. Throws `INTERNAL` when it has not the form that this release knows. */
function checked<Value>(schema: z.ZodType<Value>, json: string): Value {
  const parsed = schema.safeParse(jsonOf(json))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AnchormeshError(
    'INTERNAL',
    `the node answered in a form that this release does not know: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    {
      hint: 'The node that runs may be of another release than this command.'
    }
  )
}

interface Upload {
  readonly body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | string | null
  readonly failure: Answered['uploadFailure']
}

function uploadOf(content: Uint8Array | string | AsyncIterable<Uint8Array> | undefined): Upload {
  if (content === undefined || typeof content === 'string') return { body: content ?? null, failure: () => null }
  if (content instanceof Uint8Array) return { body: new Uint8Array(content), failure: () => null }
  const state: { failure: { readonly error: unknown } | null } = { failure: null }
  const noted = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* inPieces(content)
    } catch (error) {
      state.failure = { error }
      throw error
    }
  }
  return { body: ReadableStream.from(noted()), failure: () => state.failure }
}

/** Many small parts as few larger ones. */
async function* inPieces(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let gathered: Uint8Array[] = []
  let length = 0
  for await (const part of parts) {
    gathered.push(part)
    length += part.length
    if (length < UPLOAD_CHUNK_BYTES) continue
    yield new Uint8Array(Buffer.concat(gathered))
    gathered = []
    length = 0
  }
  if (length > 0) yield new Uint8Array(Buffer.concat(gathered))
}

function failureIn(line: string): AnchormeshError | null {
  const parsed = problemSchema.safeParse((jsonOf(line) as { readonly error?: unknown } | undefined)?.error)
  return parsed.success ? failureOfProblem(parsed.data) : null
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is not JSON has not the form of any schema, and undefined has none either.
    return undefined
  }
}

/** fetch says `fetch failed` and keeps the reason as the cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error)
}
