import { once } from 'node:events'
import { Agent, request } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { TlsIdentity } from '../../../src/http/tls.ts'

export interface TlsAsk extends ConnectionOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: Agent
}

export interface TlsAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** What JSON the body is. */
  json(): { readonly code?: string } & Readonly<Record<string, unknown>>
}

/** What a client of this identity connects with, that trusts the server's own certificate and nothing else. */
export function trusting(server: TlsIdentity, client?: TlsIdentity): ConnectionOptions {
  return { ca: server.cert, ...(client === undefined ? {} : { cert: client.cert, key: client.key }) }
}

/** A request over TLS, on a connection of its own unless there is an agent. */
export async function askTls(url: string, options: TlsAsk): Promise<TlsAnswer> {
  const { method = 'GET', body, agent = false, headers = {}, ...tls } = options
  const sent = request(url, { ...tls, method, headers, agent })
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += (chunk as Buffer).toString('utf8')
  const { statusCode = 0 } = response
  return {
    status: statusCode,
    headers: response.headers,
    body: text,
    json: () => JSON.parse(text) as { code?: string }
  }
}

/** A connection whose handshake is done. */
export async function openTls(url: string, options: ConnectionOptions): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...options })
  await once(socket, 'secureConnect')
  return socket
}
