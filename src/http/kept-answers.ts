import type { FastifyRequest, onRequestHookHandler, onSendHookHandler } from 'fastify'
import type { ReadScope } from '../policy/read-scope.ts'
import { tagged } from './etag.ts'
import { readerOf } from './reader.ts'

// What many readers poll for are the same few pages.
const ANSWERS_MAX = 2_048
// 16 MiB, or twice that where the text is more than Latin; beyond either bound all are read anew.
const ANSWERS_CHARACTERS_MAX = 16 * 1024 * 1024
// The answers to one-thing questions are some KiB. A page of hundreds of rows is read once by each who walks along.
const ANSWER_CHARACTERS_MAX = 32 * 1024

interface Kept {
  readonly text: string
  readonly etag: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The revision that what is read for the answer is not older than. */
    readFrom?: number
    /** Whether nothing but what the revision is of decides the answer. */
    mayBeKept?: boolean
  }
}

/** Says that the answer to this request hangs on nothing but its address, its reader and the revision. */
export function mayBeKept(request: FastifyRequest): void {
  request.mayBeKept = true
}

/**
 * Answers by address and reader, for as long as nothing has changed that they were read from. A reader who asks again
 * gets the same bytes without their being read, checked and written out again.
 */
export class KeptAnswers {
  readonly #revision: () => number
  /** By the scope itself: of another reader, and of the same one under another policy, it is another. */
  #byScope = new Map<ReadScope, Map<string, Kept>>()
  /** What those that are kept were read at. */
  #keptAt = -1
  #count = 0
  #characters = 0

  /** `revision` moves, and never back, whenever an answer may be another than before. */
  constructor(revision: () => number) {
    this.#revision = revision
  }

  /** Answers what is kept; comes after the hook that knows the reader. */
  readonly onRequest: onRequestHookHandler = (request, reply, done) => {
    const revision = this.#revision()
    if (revision !== this.#keptAt) this.#begin(revision)
    const kept = this.#byScope.get(readerOf(request))?.get(request.url)
    if (kept === undefined) {
      request.readFrom = revision
      done()
      return
    }
    reply.header('content-type', 'application/json; charset=utf-8').header('etag', kept.etag).send(kept.text)
  }

  /** Keeps an answer, also where its client turns out to have it; so it comes before the hook that looks at that. */
  readonly onSend: onSendHookHandler = (request, reply, payload, done) => {
    if (reply.statusCode === 200 && this.#isToBeKept(request, payload))
      this.#keep(readerOf(request), request.url, { text: payload, etag: tagged(reply, payload) })
    done(null, payload)
  }

  #isToBeKept({ method, url, readFrom, mayBeKept: may }: FastifyRequest, payload: unknown): payload is string {
    // What moved while the answer was read may be in it or not.
    if (may !== true || method !== 'GET' || readFrom !== this.#keptAt || readFrom !== this.#revision()) return false
    return typeof payload === 'string' && payload.length + url.length <= ANSWER_CHARACTERS_MAX
  }

  #keep(scope: ReadScope, url: string, kept: Kept): void {
    if (this.#count >= ANSWERS_MAX || this.#characters >= ANSWERS_CHARACTERS_MAX) this.#begin(this.#keptAt)
    const ofScope = this.#byScope.get(scope) ?? new Map<string, Kept>()
    this.#byScope.set(scope, ofScope)
    if (ofScope.has(url)) return
    ofScope.set(url, kept)
    this.#count += 1
    this.#characters += kept.text.length + url.length
  }

  #begin(revision: number): void {
    if (this.#count > 0) this.#byScope = new Map()
    this.#keptAt = revision
    this.#count = 0
    this.#characters = 0
  }
}
