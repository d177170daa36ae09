import { AnchormeshError } from '../platform/errors.ts'
import { isLoopback, splitListen } from '../policy/listen-address.ts'
import type { ListenAddress } from '../policy/listen-address.ts'

/** The configuration key that an address stands under, for messages. */
export type ListenKey = 'http.listen' | 'admin.listen'

/**
 * The address that a `HOST:PORT` names. Throws `CONFIG_INVALID` for what is none, and without TLS for one that other
 * machines can reach: tokens and evidence would travel in clear.
 */
export function servableAddress(listen: string, key: ListenKey, isSecure: boolean): ListenAddress {
  const address = splitListen(listen)
  if (address === null) {
    throw new AnchormeshError('CONFIG_INVALID', `${key}: ${listen} is not HOST:PORT`, {
      hint: 'such as 127.0.0.1:8088 or [::1]:8088',
      detail: { key }
    })
  }
  if (isSecure || isLoopback(address.host)) return address
  const message = `${key}: ${listen} can be reached from other machines, where tokens and evidence would travel in clear`
  throw new AnchormeshError('CONFIG_INVALID', message, {
    hint: 'Set http.tls, or listen on 127.0.0.1 or [::1].',
    detail: { key }
  })
}

/** The host of a listener in a URL that this machine can ask: one that stands for all addresses is none to connect to. */
export function reachableHost(host: string): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return reachable.includes(':') ? `[${reachable}]` : reachable
}

/**
 * Whether a request's `Host` names this machine's loopback, with any port. A page from elsewhere whose name was made to
 * resolve to 127.0.0.1 (DNS rebinding) still sends its own name.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::[0-9]{1,5})?$/.exec(header ?? '')?.[1]
  return host !== undefined && isLoopback(host.replace(/^\[|\]$/g, ''))
}
