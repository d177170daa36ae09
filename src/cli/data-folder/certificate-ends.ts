import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { TsaCertificates } from '../../policy/policy.ts'
import type { DatedCertificate } from '../../trust/key-warnings.ts'
import { readCertificates } from './tsa-certificates.ts'

/**
 * When the certificates of a configuration end: those of the time-stamping authorities, and the files of TLS. A file
 * that can't be read is not listed: whoever uses it says so.
 */
export async function certificateEnds(
  federation: Pick<FederationConfig, 'http' | 'audit'>,
  tsas: Readonly<Record<string, TsaCertificates>>,
  folder: string
): Promise<readonly DatedCertificate[]> {
  const ends: DatedCertificate[] = []
  for (const [tsa, { roots, certificates }] of Object.entries(tsas)) {
    ends.push(...endsOf(`rails.rfc3161.${tsa}.roots`, roots))
    ends.push(...endsOf(`rails.rfc3161.${tsa}.certificates`, certificates))
  }
  const { http, audit } = federation
  const files: readonly (readonly [string, string | undefined])[] = [
    ['http.tls.cert', http.tls?.cert],
    ['audit.syslogCert', audit.syslogCert],
    ['audit.syslogCa', audit.syslogCa]
  ]
  for (const [what, file] of files) {
    if (file === undefined) continue
    ends.push(...endsOf(what, await readCertificates(resolve(folder, file)).catch(() => [])))
  }
  return ends
}

function endsOf(what: string, certificates: readonly string[]): DatedCertificate[] {
  return certificates.map((certificate) => {
    const { subject, validTo } = new X509Certificate(Buffer.from(certificate, 'base64url'))
    const name = subject.split('\n').at(-1) ?? ''
    return { what: `${what} (${name})`, notAfter: new Date(validTo).getTime() }
  })
}
