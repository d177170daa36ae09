import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { secureOptions } from '../../http/tls.ts'
import type { TlsIdentity } from '../../http/tls.ts'
import { messageOf } from '../../platform/errors.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem } from '../../policy/policy.ts'
import { unreadable } from './named-files.ts'

/**
 * What `http.tls` names, read and tried, so that a listener which gets it can use it: a chain of PEM certificates, the
 * node's own first, and the key of that one. `null` where there is none, or a problem. Relative names are looked for in
 * `folder`. When the certificate ends is no problem here: warnings tell of it (`certificateEnds`).
 */
export async function readTlsIdentity(
  { http: { tls } }: Pick<FederationConfig, 'http'>,
  folder: string
): Promise<{ readonly identity: TlsIdentity | null; readonly problems: readonly PolicyProblem[] }> {
  if (tls === undefined) return { identity: null, problems: [] }
  const problems: PolicyProblem[] = []
  const read = async (name: 'cert' | 'key', check: (pem: string) => void): Promise<string | null> => {
    const place = { file: 'federation.yaml', path: ['http', 'tls', name] } as const
    const file = resolve(folder, tls[name])
    let pem: string
    try {
      pem = await readFile(file, 'utf8')
    } catch (error) {
      problems.push({ ...place, ...unreadable(file, error) })
      return null
    }
    try {
      check(pem)
      return pem
    } catch (error) {
      const what = name === 'cert' ? 'certificate' : 'private key without a passphrase'
      const message = `names ${file}, which holds no PEM ${what}: ${messageOf(error)}`
      problems.push({ ...place, message, code: 'FILE_INVALID' })
      return null
    }
  }
  const cert = await read('cert', (pem) => new X509Certificate(pem))
  const key = await read('key', (pem) => createPrivateKey(pem))
  if (cert === null || key === null) return { identity: null, problems }
  const identity = { cert, key }
  const fault = faultOf(identity)
  if (fault === null) return { identity, problems }
  const place = { file: 'federation.yaml', path: ['http', 'tls', 'cert'] } as const
  return { identity: null, problems: [{ ...place, message: fault, code: 'FILE_INVALID' }] }
}

function faultOf(identity: TlsIdentity): string | null {
  try {
    if (!new X509Certificate(identity.cert).checkPrivateKey(createPrivateKey(identity.key)))
      return 'is not the certificate of the key in http.tls.key'
    createSecureContext(secureOptions(identity))
    return null
  } catch (error) {
    return `can't be used with http.tls.key: ${messageOf(error)}`
  }
}
