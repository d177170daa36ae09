import { AnchormeshError } from '../platform/errors.ts'
import { isLoopback, splitListen } from '../policy/listen-address.ts'
import type { ListenAddress } from '../policy/listen-address.ts'

/** The configuration key that an address stands under, for messages. */
export type ListenKey = 'http.listen' | 'admin.listen'

/**
 * The loopback address that a `HOST:PORT` names. Throws `CONFIG_INVALID` for what is none: as long as there are no
 * access tokens and certificates, nobody but this machine may ask.
 */
export function loopbackAddress(listen: string, key: ListenKey): ListenAddress {
  const address = splitListen(listen)
  if (address === null) {
    throw new AnchormeshError('CONFIG_INVALID', `${key}: ${listen} is not HOST:PORT`, {
      hint: 'such as 127.0.0.1:8088 or [::1]:8088',
      detail: { key }
    })
  }
  if (isLoopback(address.host)) return address
  const message = `${key}: ${listen} can be reached from other machines, and there is no access control yet`
  throw new AnchormeshError('CONFIG_INVALID', message, {
    hint: 'Listen on 127.0.0.1 or [::1]. For other machines put a reverse proxy with access control before it.',
    detail: { key }
  })
}

/**
 * Whether a request's `Host` names this machine's loopback, with any port. A page from elsewhere whose name was made to
 * resolve to 127.0.0.1 (DNS rebinding) still sends its own name.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const host = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::[0-9]{1,5})?$/.exec(header ?? '')?.[1]
  return host !== undefined && isLoopback(host.replace(/^\[|\]$/g, ''))
}
