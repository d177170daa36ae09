import type { Bitcoind } from '../../support/bitcoind.ts'
import { startLocalServer } from '../../support/local-server.ts'
import type { LocalServer } from '../../support/local-server.ts'

/** An Esplora-style API in front of a node, as far as headers go. */
export function startEsplora(node: Bitcoind): Promise<LocalServer> {
  const pages: readonly (readonly [RegExp, (argument: string) => Promise<unknown>])[] = [
    [/^\/blocks\/tip\/hash$/, () => node.rpc('getbestblockhash')],
    [/^\/blocks\/tip\/height$/, () => node.rpc('getblockcount')],
    [/^\/block-height\/(\d+)$/, (height) => node.rpc('getblockhash', Number(height))],
    [/^\/block\/([0-9a-f]{64})\/header$/, (hash) => node.rpc('getblockheader', hash, false)]
  ]
  return startLocalServer(async ({ url = '' }, _body, response) => {
    for (const [pattern, ask] of pages) {
      const match = pattern.exec(url)
      if (match === null) continue
      const answer = await ask(match[1] ?? '').catch((error: unknown) => error)
      response.writeHead(answer instanceof Error ? 404 : 200, { 'content-type': 'text/plain' })
      response.end(answer instanceof Error ? 'Block not found' : String(answer))
      return
    }
    response.writeHead(404).end()
  })
}
