import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as requestTls } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { FrameSequence, isTerminal } from '../../../protocols/subscription/v1/sequence.ts'
import { frame as frameSchema } from '../../../src/api/frames.ts'
import type { Frame } from '../../../src/api/frames.ts'
import { until } from '../../support/until.ts'

/** Both forms of `GET /v1/subscribe`. */
export const FORMS = ['events', 'messages'] as const
export type Form = (typeof FORMS)[number]

/** One reader of a subscription over a real connection; holds what it gets to the SPEC. */
export interface Reader {
  readonly frames: Frame[]
  readonly rows: Map<string, unknown>
  /** The last cursor. */
  cursor(): string | undefined
  /** Waits until the last frame but keep-alives and checkpoints passes. */
  until(what: string, passes: (frame: Frame) => boolean): Promise<Frame>
  /** Whether the connection has ended, and how a WebSocket did. */
  readonly state: { ended: boolean; closeCode: number | null }
  pause(): void
  close(): void
}

export interface ReadOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly hasCursor?: boolean
  /** For an `https:` address. */
  readonly tls?: ConnectionOptions
}

/** Subscribes; the reader is closed when the test ends. */
export async function subscribe(url: string, form: Form, options: ReadOptions = {}): Promise<Reader> {
  const frames: Frame[] = []
  const rows = new Map<string, unknown>()
  const state: Reader['state'] = { ended: false, closeCode: null }
  const sequence = new FrameSequence(options.hasCursor === undefined ? {} : { hasCursor: options.hasCursor })
  const take = (json: string): void => {
    const frame = frameSchema.parse(JSON.parse(json))
    const broken = sequence.take(frame)
    if (broken !== null) throw new Error(`${broken}: ${json} after ${JSON.stringify(frames.slice(-2))}`)
    frames.push(frame)
    if (frame.frame !== 'snapshot' && frame.frame !== 'change') return
    if (frame.row === null) rows.delete(frame.key)
    else rows.set(frame.key, frame.row)
  }
  const connection = await (form === 'events' ? readEvents : readMessages)(url, options, take, state)
  const reader: Reader = {
    frames,
    rows,
    state,
    cursor: () => frames.at(-1)?.cursor ?? undefined,
    until: async (what, passes) => {
      await until(what, () => state.ended || frames.some((frame) => passes(frame) || isTerminal(frame)))
      const found = frames.find(passes)
      if (found === undefined) throw new Error(`ended before ${what}: ${JSON.stringify(frames.at(-1))}`)
      return found
    },
    ...connection
  }
  onTestFinished(() => reader.close())
  return reader
}

type Connection = Pick<Reader, 'pause' | 'close'>

async function readEvents(
  url: string,
  options: ReadOptions,
  take: (json: string) => void,
  state: Reader['state']
): Promise<Connection> {
  const { sent, response } = await get(url, options)
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const lines = event.split('\n')
      const data = lines.find((line) => line.startsWith('data: '))?.slice('data: '.length)
      if (data === undefined) continue
      take(data)
      const id = lines.find((line) => line.startsWith('id: '))?.slice('id: '.length) ?? null
      const { cursor } = JSON.parse(data) as Frame
      if (id !== cursor) throw new Error(`id ${id} is not the cursor ${cursor}`)
    }
  })
  response.on('close', () => (state.ended = true))
  response.on('error', () => (state.ended = true))
  return { pause: () => response.pause(), close: () => sent.destroy() }
}

function get(url: string, { headers, tls }: ReadOptions): Promise<{ sent: ClientRequest; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage): void => resolve({ sent, response })
    const sent = url.startsWith('https:')
      ? requestTls(url, { ...tls, headers, agent: false }, answered)
      : request(url, { headers, agent: false }, answered)
    sent.on('error', reject)
    sent.end()
  })
}

async function readMessages(
  url: string,
  options: ReadOptions,
  take: (json: string) => void,
  state: Reader['state']
): Promise<Connection> {
  const socket = new WebSocket(url.replace('http', 'ws'), { ...options.tls, headers: options.headers })
  socket.on('message', (data: Buffer) => take(data.toString('utf8')))
  socket.on('close', (code) => {
    state.ended = true
    state.closeCode = code
  })
  await new Promise<void>((resolve, reject) => {
    socket.on('open', () => resolve())
    socket.on('error', reject)
  })
  return { pause: () => socket.pause(), close: () => socket.terminate() }
}
