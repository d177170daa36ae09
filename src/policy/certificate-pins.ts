import type { PeersConfig } from './config-schema.ts'
import type { PolicyProblem } from './problems.ts'

/** The DIDs that client certificates belong to, by the SHA-256 of their DER (`certificatePins`). */
export type CertificatePins = ReadonlyMap<string, string>

/** Whom the certificates of a configuration without problems belong to. */
export function certificatePins({ peers }: Pick<PeersConfig, 'peers'>): CertificatePins {
  return new Map(peers.flatMap(({ did, certificatePins: pins }) => pins.map((pin) => [pin, did] as const)))
}

/** A certificate that two DIDs claim would say nothing of who shows it. */
export function certificatePinProblems({ peers }: Pick<PeersConfig, 'peers'>): PolicyProblem[] {
  const owners = new Map<string, string>()
  const problems: PolicyProblem[] = []
  peers.forEach(({ did, certificatePins: pins }, index) => {
    pins.forEach((pin, place) => {
      const owner = owners.get(pin)
      if (owner !== undefined && owner !== did) {
        const path = ['peers', index, 'certificatePins', place]
        problems.push({ file: 'peers.yaml', path, message: `is pinned to ${owner} already` })
      }
      owners.set(pin, owner ?? did)
    })
  })
  return problems
}
