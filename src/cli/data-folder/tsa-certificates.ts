import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { messageOf } from '../../platform/errors.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem, TsaCertificates } from '../../policy/policy.ts'
import { readCertificate } from '../../timestamps/rfc3161/certificate.ts'
import { unreadable } from './named-files.ts'

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * The certificates that `rails.rfc3161` names, by TSA, in DER as base64url: their content is part of the policy, so a
 * changed file is a changed policy. Relative names are looked for in `folder`. A file is PEM (any number of
 * certificates) or one certificate in DER.
 */
export async function readTsaCertificates(
  federation: FederationConfig,
  folder: string
): Promise<{
  readonly certificates: Readonly<Record<string, TsaCertificates>>
  readonly problems: readonly PolicyProblem[]
}> {
  const certificates: Record<string, TsaCertificates> = {}
  const problems: PolicyProblem[] = []
  const readAll = async (tsa: string, key: keyof TsaCertificates, files: readonly string[]): Promise<string[]> => {
    const found = new Set<string>()
    for (const [index, file] of files.entries()) {
      const place = { file: 'federation.yaml', path: ['rails', 'rfc3161', tsa, key, index] } as const
      const named = resolve(folder, file)
      let content: Buffer
      try {
        content = await readFile(named)
      } catch (error) {
        problems.push({ ...place, ...unreadable(named, error) })
        continue
      }
      try {
        for (const certificate of certificatesOf(content)) found.add(certificate)
      } catch (error) {
        problems.push({ ...place, message: `holds no certificates: ${messageOf(error)}`, code: 'FILE_INVALID' })
      }
    }
    return [...found].sort()
  }
  for (const [tsa, named] of Object.entries(federation.rails.rfc3161)) {
    certificates[tsa] = {
      roots: await readAll(tsa, 'roots', named.roots),
      certificates: await readAll(tsa, 'certificates', named.certificates)
    }
  }
  return { certificates, problems }
}

/** The certificates of one file, in DER as base64url. Throws where it holds none. */
export async function readCertificates(file: string): Promise<readonly string[]> {
  return certificatesOf(await readFile(file))
}

function certificatesOf(content: Buffer): string[] {
  const parts = content.toString('latin1').match(PEM_CERTIFICATE) ?? [content]
  return parts.map((part) => {
    const der = new Uint8Array(new X509Certificate(part).raw)
    // What the verifier can't read, it would take for missing roots: said here, where somebody reads it.
    readCertificate(der)
    return toBase64url(der)
  })
}
