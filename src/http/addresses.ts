import { isIPv4 } from 'node:net'
import { AnchormeshError } from '../platform/errors.ts'
import { splitListen } from '../policy/config-schema.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** The configuration key that an address stands under, for messages. */
export type ListenKey = 'http.listen' | 'admin.listen'

/**
 * The loopback address that a `HOST:PORT` names (`localhost` is 127.0.0.1). Throws `CONFIG_INVALID` for what is none: as
 * long as there are no access tokens and certificates, nobody but this machine may ask.
 */
export function loopbackAddress(listen: string, key: ListenKey): ListenAddress {
  const address = splitListen(listen)
  if (address === null) {
    throw new AnchormeshError('CONFIG_INVALID', `${key}: ${listen} is not HOST:PORT`, {
      hint: 'such as 127.0.0.1:8088 or [::1]:8088',
      detail: { key }
    })
  }
  const host = address.host.toLowerCase() === 'localhost' ? '127.0.0.1' : address.host
  if (isLoopback(host)) return { host, port: address.port }
  throw new AnchormeshError('CONFIG_INVALID', `${key}: ${listen} can be reached from other machines, and there is no access control yet`, {
    hint: 'Listen on 127.0.0.1 or [::1]. For other machines put a reverse proxy with access control before it.',
    detail: { key }
  })
}

/**
 * Whether a request's `Host` names this machine's loopback, with any port. A page from elsewhere whose name was made to
 * resolve to 127.0.0.1 (DNS rebinding) still sends its own name.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::[0-9]{1,5})?$/.exec(header ?? '')?.[1]?.toLowerCase()
  return host === 'localhost' || (host !== undefined && isLoopback(host.replace(/^\[|\]$/g, '')))
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}
