import { isIPv4 } from 'node:net'

/** Where a listener listens; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * The host and port of a `HOST:PORT` listen address (IPv6 in brackets), or null when it is none. The host is in lower
 * case, and `localhost` is 127.0.0.1: a name that resolves to two addresses would leave one of them out.
 */
export function splitListen(listen: string): ListenAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(0|[1-9][0-9]{0,4})$/.exec(listen)
  const host = (match?.[1] ?? match?.[2])?.toLowerCase()
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) return null
  return { host: host === 'localhost' ? '127.0.0.1' : host, port }
}

/** Whether a host (an address without brackets, or `localhost`) is this machine's loopback. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether two listeners can't both have what these name. Port 0 is another one each time. */
export function isSameAddress(left: ListenAddress, right: ListenAddress): boolean {
  return left.port !== 0 && left.port === right.port && left.host === right.host
}
