import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { toHex } from '../../protocols/primitives/bytes.ts'

/** By what a target's certificate is known, and what is shown to it. All PEM, but for the pin. */
export interface DrillTls {
  /** Whom the certificate must lead to; the authorities that Node knows, if absent. */
  readonly ca?: string
  /** SHA-256 of the certificate's DER, hex: this certificate and no other. Without `ca` it need lead to nobody. */
  readonly pinSha256?: string
  /** The certificate that the target asks for (mTLS), and its key. */
  readonly cert?: string
  readonly key?: string
}

/** The certificate is not the one that was pinned. */
export class PinMismatch extends Error {
  constructor(found: string) {
    super(`the certificate has the fingerprint ${found}, which is not the pinned one`)
    this.name = 'PinMismatch'
  }
}

/**
 * Connects by TLS 1.3, and gives the socket only once the certificate is found to be right, so that nothing (no token
 * above all) is sent to anybody else. Rejects with the system's error, or `PinMismatch`.
 */
export async function connectTls(url: URL, tls: DrillTls, signal: AbortSignal): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const { ca, pinSha256, cert, key } = tls
  const options: ConnectionOptions = {
    host,
    port: Number(url.port === '' ? 443 : url.port),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    // With a pin alone the certificate may be self-signed: the pin is compared below, before anything is sent.
    rejectUnauthorized: pinSha256 === undefined || ca !== undefined,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key })
  }
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connect(options, () => {
    const found = fingerprintOf(socket)
    if (pinSha256 === undefined || found === pinSha256) resolve(socket)
    else reject(new PinMismatch(found))
  })
  socket.once('error', reject)
  const abort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function fingerprintOf(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? '' : toHex(createHash('sha256').update(certificate.raw).digest())
}
