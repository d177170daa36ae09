import type { FederationConfig } from '../../policy/config-schema.ts'
import { isLoopback, isSameAddress, splitListen } from '../../policy/listen-address.ts'
import type { ListenAddress } from '../../policy/listen-address.ts'
import type { PolicyProblem } from '../../policy/policy.ts'

/**
 * Settings that promise protection which this version does not give yet. To take them silently would leave somebody
 * unprotected who believes otherwise, so they are refused.
 */
export function unsupportedProblems({ http, admin }: FederationConfig): PolicyProblem[] {
  const problems: PolicyProblem[] = []
  const refuse = (path: readonly string[], message: string): void => {
    problems.push({ file: 'federation.yaml', path, message })
  }
  if (http.tls !== undefined) refuse(['http', 'tls'], 'is not supported by this version, which serves plain HTTP')
  if (http.mtls !== 'off') refuse(['http', 'mtls'], 'is not supported by this version: it must be off')
  const [reading, operating] = [addressOf(http.listen), addressOf(admin.listen)]
  const why = 'must be a loopback address:'
  if (!isLoopback(reading.host)) refuse(['http', 'listen'], `${why} this version asks readers for no token`)
  if (!isLoopback(operating.host)) refuse(['admin', 'listen'], `${why} the token would travel in clear`)
  if (isSameAddress(reading, operating)) {
    refuse(['admin', 'listen'], `names the same address as http.listen, ${http.listen}: this version needs two`)
  }
  return problems
}

/** The schema has let nothing else through. */
function addressOf(listen: string): ListenAddress {
  const address = splitListen(listen)
  if (address === null) throw new Error(`${listen} is no listen address`)
  return address
}
