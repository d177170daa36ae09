import type { FederationConfig } from '../../policy/config-schema.ts'
import { isLoopback, isSameAddress, splitListen } from '../../policy/listen-address.ts'
import type { ListenAddress } from '../../policy/listen-address.ts'
import type { PolicyProblem } from '../../policy/policy.ts'

/** Listeners that other machines can reach, and no TLS: tokens and evidence would travel in clear. */
export function listenerProblems({ http, admin }: FederationConfig): PolicyProblem[] {
  if (http.tls !== undefined) return []
  const listeners = [
    ['http', http.listen],
    ['admin', admin.listen]
  ] as const
  return listeners
    .filter(([, listen]) => !isLoopback(addressOf(listen).host))
    .map(([section, listen]) => ({
      file: 'federation.yaml',
      path: [section, 'listen'],
      message: `${listen} can be reached from other machines, where tokens and evidence would travel in clear: set http.tls, or listen on 127.0.0.1 or [::1]`
    }))
}

/** Whether one listener serves apps and the operator: `admin.listen` is the address of `http.listen`. */
export function isOneListener({ http, admin }: Pick<FederationConfig, 'http' | 'admin'>): boolean {
  return isSameAddress(addressOf(http.listen), addressOf(admin.listen))
}

/** Whether the operator's listener, where it is one of its own, needs TLS. */
export function isAdminRemote({ admin }: Pick<FederationConfig, 'admin'>): boolean {
  return !isLoopback(addressOf(admin.listen).host)
}

/** The schema has let nothing else through. */
function addressOf(listen: string): ListenAddress {
  const address = splitListen(listen)
  if (address === null) throw new Error(`${listen} is no listen address`)
  return address
}
