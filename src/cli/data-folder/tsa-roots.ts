import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { messageOf } from '../../platform/errors.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem, TsaRoots } from '../../policy/policy.ts'

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * The certificates that `rails.rfc3161` names, by TSA, in DER as base64url: their content is part of the policy, so a
 * changed file is a changed policy. Relative names are looked for in `folder`. A file is PEM (any number of
 * certificates) or one certificate in DER.
 */
export async function readTsaRoots(
  federation: FederationConfig,
  folder: string
): Promise<{ readonly roots: TsaRoots; readonly problems: readonly PolicyProblem[] }> {
  const roots: Record<string, readonly string[]> = {}
  const problems: PolicyProblem[] = []
  for (const [tsa, { roots: files }] of Object.entries(federation.rails.rfc3161)) {
    const certificates: string[] = []
    for (const [index, file] of files.entries()) {
      try {
        certificates.push(...certificatesOf(await readFile(resolve(folder, file))))
      } catch (error) {
        const path = ['rails', 'rfc3161', tsa, 'roots', index]
        problems.push({ file: 'federation.yaml', path, message: `holds no certificates: ${messageOf(error)}` })
      }
    }
    roots[tsa] = [...new Set(certificates)].sort()
  }
  return { roots, problems }
}

function certificatesOf(content: Buffer): string[] {
  const parts = content.toString('latin1').match(PEM_CERTIFICATE) ?? [content]
  return parts.map((part) => toBase64url(new Uint8Array(new X509Certificate(part).raw)))
}
