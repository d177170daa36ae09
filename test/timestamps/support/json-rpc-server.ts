import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface JsonRpcServer extends AsyncDisposable {
  readonly url: string
  /** How many requests have come. */
  readonly requests: number
}

/** What a request is answered with: a body, with status 200 unless it says otherwise; `null` for never. */
export type Reply =
  string | Uint8Array | { readonly status: number; readonly type?: string; readonly body: string } | null

/** A loopback server that answers the bodies of requests as `answer` pleases. */
export async function startJsonRpc(
  answer: (body: string, headers: IncomingHttpHeaders) => Reply | Promise<Reply>
): Promise<JsonRpcServer> {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      void Promise.resolve(answer(Buffer.concat(chunks).toString(), request.headers)).then((reply) => {
        if (reply === null) return
        const { status, type, body } =
          typeof reply === 'string' || reply instanceof Uint8Array
            ? { status: 200, type: undefined, body: reply }
            : reply
        response.writeHead(status, { 'content-type': type ?? 'application/json' }).end(body)
      })
    })
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
