import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface WrongAuthority extends AsyncDisposable {
  readonly url: string
  /** How many requests have come. */
  readonly requests: number
}

/** A local server that answers queries as `answer` pleases. */
export async function startWrongAuthority(
  answer: (query: Uint8Array, response: ServerResponse, request: IncomingMessage) => void | Promise<void>
): Promise<WrongAuthority> {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void answer(new Uint8Array(Buffer.concat(chunks)), response, request))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    get requests() {
      return requests
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** Sends a body as a time-stamp reply. */
export function sendReply(response: ServerResponse, body: Uint8Array): void {
  response.writeHead(200, { 'content-type': 'application/timestamp-reply' })
  response.end(body)
}
