import { connect } from 'node:net'
import { test } from 'vitest'
import { bearer, listen, tokenFor } from '../access/world.ts'
import { until } from '../support/until.ts'
import { startWholeGateway } from './support/whole-gateway.ts'

const UPGRADES = {
  'Server-Sent Events': [],
  'an upgrade that is not heeded': ['connection: upgrade', 'upgrade: h2c'],
  WebSocket: [
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='
  ]
}

/** Asks for a subscription over a connection of its own. */
function askAt(url: string, headers: readonly string[]): ReturnType<typeof connect> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  const lines = ['GET /v1/subscribe?projection=batches HTTP/1.1', `host: ${host}`, ...headers]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return socket
}

test.each(Object.entries(UPGRADES))('over %s nobody stays who has left, in whatever way', async (_form, headers) => {
  const { node, url } = await startWholeGateway()
  const { subscriptions } = node.gateway
  for (const leave of ['end', 'destroySoon', 'resetAndDestroy'] as const) {
    const socket = askAt(url, headers)
    socket.resume()
    await until('the stream', () => subscriptions.stats().subscribers === 1)
    socket[leave]()
    await until(`the end after ${leave}`, () => subscriptions.stats().subscribers === 0)
    await until('the connection is gone', () => socket.closed)
  }
})

test.each(Object.entries(UPGRADES))(
  'over %s nobody stays who left while it was looked at their token',
  async (_form, headers) => {
    let judged = 0
    const looking = Promise.withResolvers<void>()
    const { node } = await startWholeGateway()
    const { access, subscriptions } = node.gateway
    const { url } = await listen(node, {
      subscriptions,
      access: Object.assign(Object.create(access) as typeof access, {
        ofToken: async (text: string) => {
          judged += 1
          await looking.promise
          return await access.ofToken(text)
        }
      })
    })
    const { authorization } = bearer(await tokenFor(node, ['a:one']))
    const socket = askAt(url, [...headers, `authorization: ${authorization ?? ''}`])
    await until('it is looked at', () => judged === 1)
    socket.resetAndDestroy()
    const other = askAt(url, [...headers, `authorization: ${authorization ?? ''}`])
    await until('it is looked at the other', () => judged === 2)
    looking.resolve()
    await until('the other is there', () => subscriptions.stats().opened > 0 && subscriptions.stats().subscribers === 1)
    other.resetAndDestroy()
    await until('the other is gone', () => subscriptions.stats().subscribers === 0)
  }
)
