import { isIPv6 } from 'node:net'

const GROUPS = 8
// Of an IPv6 address; whoever has a line has 2^64 of the rest.
const NETWORK_GROUPS = 4

/** What limits are counted by: an IPv4 address, or the /64 network of an IPv6 one, where a new address costs nothing. */
export function addressBlock(address: string): string {
  const [plain = ''] = address.split('%')
  const mapped = /^::ffff:([0-9.]+)$/i.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(plain)) return address
  const [left = [], right = []] = plain.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const known = left.length + right.length + Number(plain.includes('.'))
  const zeros = Array.from({ length: Math.max(0, GROUPS - known) }, () => '0')
  const groups = [...left, ...zeros, ...right].slice(0, NETWORK_GROUPS)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
