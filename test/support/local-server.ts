import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP server on loopback, on a port that the system chose. */
export interface LocalServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** The paths of the requests that have come, in their order. */
  readonly paths: readonly string[]
}

/** Starts a server that answers as `answer` pleases, once a request is here with its whole body. */
export async function startLocalServer(
  answer: (request: IncomingMessage, body: Uint8Array<ArrayBuffer>, response: ServerResponse) => void | Promise<void>
): Promise<LocalServer> {
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void answer(request, new Uint8Array(Buffer.concat(chunks)), response))
  })
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    [Symbol.asyncDispose]: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      })
  }
}
