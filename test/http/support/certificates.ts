import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pinOf } from '../../../src/http/tls.ts'
import type { TlsIdentity } from '../../../src/http/tls.ts'

/** A certificate with its key, in PEM, and its pin. */
export interface TestIdentity extends TlsIdentity {
  readonly pin: string
  readonly notBefore: number
  readonly notAfter: number
}

/** A self-signed certificate for localhost, 127.0.0.1 and ::1, made by openssl; it lives for thirty days. */
export function makeIdentity(name: string, algorithm: readonly string[] = EC): TestIdentity {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-tls-'))
  try {
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
    const files = ['-keyout', 'key.pem', '-out', 'cert.pem']
    const args = ['req', '-x509', ...algorithm, '-nodes', '-days', '30', ...files, '-subj', `/CN=${name}`]
    execFileSync('openssl', [...args, '-addext', names], { cwd: folder, stdio: 'ignore' })
    const [cert, key] = ['cert.pem', 'key.pem'].map((file) => readFileSync(join(folder, file), 'utf8'))
    if (cert === undefined || key === undefined) throw new Error('openssl made no certificate')
    const x509 = new X509Certificate(cert)
    const [notBefore, notAfter] = [x509.validFrom, x509.validTo].map((text) => new Date(text).getTime())
    return { cert, key, pin: pinOf(x509), notBefore: notBefore ?? 0, notAfter: notAfter ?? 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
