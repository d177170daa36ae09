import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'

const PORT = 4_088

/** The address of the host with this number, from 0: all are in 10.0.0.0/8. */
export function hostAddress(index: number): string {
  const number = index + 1
  return `10.${(number >> 16) & 0xff}.${(number >> 8) & 0xff}.${number & 0xff}`
}

/** Where the node of a host listens. */
export function multiaddrOf(host: string): string {
  return `/ip4/${host}/tcp/${PORT}`
}

/** As what a connection from a host is shown. */
export function remoteAddress(host: string): Multiaddr {
  return multiaddr(multiaddrOf(host))
}

/** The host that an address leads to. */
export function hostOf(address: Multiaddr): string {
  return address.getComponents().find(({ name }) => name === 'ip4')?.value ?? ''
}

/** Whether the simulated network leads there. */
export function isDialable(address: Multiaddr): boolean {
  const names = address.getComponents().map(({ name }) => name)
  return names[0] === 'ip4' && names[1] === 'tcp' && !names.includes('ws')
}
