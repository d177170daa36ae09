import { splitListen } from '../../policy/config-schema.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem } from '../../policy/policy.ts'

/**
 * Settings that promise protection which this version does not give yet. To take them silently would leave somebody
 * unprotected who believes otherwise, so they are refused.
 */
export function unsupportedProblems({ http, admin, store, namespaces }: FederationConfig): PolicyProblem[] {
  const problems: PolicyProblem[] = []
  const refuse = (path: readonly string[], message: string): void => {
    problems.push({ file: 'federation.yaml', path, message })
  }
  if (http.tls !== undefined) refuse(['http', 'tls'], 'is not supported by this version, which serves plain HTTP')
  if (http.mtls !== 'off') refuse(['http', 'mtls'], 'is not supported by this version: it must be off')
  if (store.encrypt) refuse(['store', 'encrypt'], 'is not supported by this version: it must be false')
  for (const [name, { attestations }] of Object.entries(namespaces)) {
    if (attestations.required) refuse(['namespaces', name, 'attestations', 'required'], 'is not supported by this version: it must be false')
  }
  const loopback = 'must be a loopback address: this version asks readers for no token'
  if (!isLoopback(http.listen)) refuse(['http', 'listen'], loopback)
  if (!isLoopback(admin.listen)) refuse(['admin', 'listen'], 'must be a loopback address: the token would travel in clear')
  return problems
}

function isLoopback(listen: string): boolean {
  const host = splitListen(listen)?.host ?? ''
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host)
}
