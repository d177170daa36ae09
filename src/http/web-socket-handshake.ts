import type { IncomingHttpHeaders } from 'node:http'

/** The one version that there is (RFC 6455 section 4.1). */
export const WEB_SOCKET_VERSION = '13'

/** Sixteen bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Whether the protocol that a connection is to be upgraded to is WebSocket. */
export function isWebSocket({ upgrade }: IncomingHttpHeaders): boolean {
  return upgrade?.toLowerCase() === 'websocket'
}

/** What is wrong with the handshake of a WebSocket (RFC 6455 section 4.2.1); null for a good one. */
export function handshakeFault(headers: IncomingHttpHeaders): string | null {
  const { 'sec-websocket-key': key, 'sec-websocket-version': version, 'sec-websocket-protocol': protocol } = headers
  if (key === undefined || !KEY.test(key)) return 'Sec-WebSocket-Key is sixteen bytes in base64'
  if (version !== WEB_SOCKET_VERSION) return `Sec-WebSocket-Version is ${WEB_SOCKET_VERSION}`
  if (protocol === undefined) return null
  const names = protocol.split(',').map((name) => name.trim())
  const isList = names.every((name) => TOKEN.test(name)) && new Set(names).size === names.length
  return isList ? null : 'Sec-WebSocket-Protocol is a list of different names'
}
