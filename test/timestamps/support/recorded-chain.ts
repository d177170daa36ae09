import { startJsonRpc } from './json-rpc-server.ts'
import type { JsonRpcServer } from './json-rpc-server.ts'

export interface RpcRequest {
  readonly jsonrpc: string
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

/** The answer to one call: a result, or `{ error }`. */
export type Answer = (method: string, params: readonly unknown[]) => unknown

/** What one response holds, for requests in a batch or alone. */
export function respond({ id, method, params }: RpcRequest, answer: Answer): Record<string, unknown> {
  const result = answer(method, params)
  const isError = typeof result === 'object' && result !== null && 'error' in result
  return { jsonrpc: '2.0', id, ...(isError ? result : { result }) }
}

/** A node that answers each call as `answer` says, and batches of them. */
export function startNode(answer: Answer): Promise<JsonRpcServer> {
  return startJsonRpc((body) => {
    const request = JSON.parse(body) as RpcRequest | readonly RpcRequest[]
    return JSON.stringify(
      Array.isArray(request)
        ? (request as readonly RpcRequest[]).map((each) => respond(each, answer))
        : respond(request as RpcRequest, answer)
    )
  })
}
