import type { IncomingMessage, ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import type { Frame } from '../../src/api/frames.ts'
import { createClient } from '../../src/client/index.ts'
import type { Client, ClientError, ClientOptions, UpdateOf, ProjectionName } from '../../src/client/index.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { startLocalServer } from '../support/local-server.ts'
import type { LocalServer } from '../support/local-server.ts'

/** A clock whose pauses between connections pass at once; which they were is written down. */
export interface HurriedClock extends Clock {
  readonly pauses: number[]
}

export function hurriedClock(): HurriedClock {
  const pauses: number[] = []
  return {
    ...systemClock,
    pauses,
    sleep: async (delayMs, signal) => {
      pauses.push(delayMs)
      await Promise.resolve()
      signal?.throwIfAborted()
    }
  }
}

type Answer = (url: URL, response: ServerResponse, request: IncomingMessage) => void

/** A server that answers as the test tells it, one answer after the other, and then the last one again and again. */
export async function scriptedNode(...answers: readonly Answer[]): Promise<LocalServer> {
  let asked = 0
  const server = await startLocalServer((request, _body, response) => {
    const answer = answers[Math.min(asked, answers.length - 1)]
    asked += 1
    answer?.(new URL(request.url ?? '/', 'http://node'), response, request)
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

/** A client of it, in a hurry. */
export function clientOf(server: LocalServer, options: Partial<ClientOptions> = {}): Client {
  return createClient({
    url: server.url,
    clock: hurriedClock(),
    random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
    ...options
  })
}

/** Answers with JSON. */
export const json =
  (value: unknown, status = 200): Answer =>
  (_url, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  }

/** Answers with a problem. */
export const problem =
  (status: number, code: string, headers: Readonly<Record<string, string>> = {}, more: object = {}): Answer =>
  (_url, response) => {
    const told = { type: 'about:blank', title: 'No', status, code, detail: `no: ${code}`, requestId: 'r-1', ...more }
    response.writeHead(status, { ...headers, 'content-type': 'application/problem+json' }).end(JSON.stringify(told))
  }

/** Streams these frames, and then ends (`end`), breaks off, or stays open. */
export const stream =
  (frames: readonly Frame[], then: 'end' | 'break' | 'stay' = 'end'): Answer =>
  (_url, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const text = frames.map((frame) => `id: ${frame.cursor ?? ''}\ndata: ${JSON.stringify(frame)}\n\n`).join('')
    response.write(`: hello\n\n${text}`, () => {
      if (then === 'end') response.end()
      if (then === 'break') response.destroy()
    })
  }

const [signer, kid] = ['did:key:z6MkTest', 'z6MkTest']

/** A change of `sequences` at a position, whose cursor is the position. */
export const change = (logSeq: number, namespace = 'dao:test'): Frame => ({
  frame: 'change',
  logSeq,
  cursor: `c${logSeq}`,
  key: `${namespace}!${signer}!${kid}`,
  row: { namespace, signer, kid, tips: [], forked: false, events: logSeq }
})

export const caughtUp = (logSeq: number): Frame => ({ frame: 'caught-up', logSeq, cursor: `c${logSeq}` })

/** Takes updates until `count` have come. */
export async function take<Name extends ProjectionName>(
  updates: AsyncGenerator<UpdateOf<Name>>,
  count: number
): Promise<UpdateOf<Name>[]> {
  const taken: UpdateOf<Name>[] = []
  for await (const update of updates) {
    taken.push(update)
    if (taken.length === count) break
  }
  return taken
}

/** What a promise fails with. */
export async function failureOf(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise
  } catch (error) {
    return error as ClientError
  }
  throw new Error('it did not fail')
}
