import { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { TlsOptions } from 'node:tls'

/** What a listener shows of itself: a chain of certificates, its own first, and the key of the first; both PEM. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
}

/** How a listener speaks TLS. */
export interface ListenerTls {
  readonly identity: TlsIdentity
  /** Whether clients are asked for a certificate; who shows none is let in, and judged by `checkCertificates`. */
  readonly asksCertificates: boolean
}

/**
 * What a server, and its replacement while it runs, is made with: TLS 1.3 and nothing older, which has neither
 * renegotiation nor a cipher to choose badly (RFC 8446, section 1.2).
 */
export function secureOptions({ cert, key }: TlsIdentity): Pick<TlsOptions, 'cert' | 'key' | 'minVersion'> {
  return { cert, key, minVersion: 'TLSv1.3' }
}

/**
 * The options of a server. Whoever speaks no HTTP/1.1 is refused in the handshake (ALPN, RFC 7301), and so is who takes
 * longer over it, in milliseconds.
 */
export function serverOptions({ identity, asksCertificates }: ListenerTls, handshakeTimeout: number): TlsOptions {
  return {
    ...secureOptions(identity),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout,
    requestCert: asksCertificates,
    // A certificate is known by its pin, whoever issued it; that its key is there, the handshake proves.
    rejectUnauthorized: false
  }
}

/** SHA-256 of a certificate's DER, 64 lower-case hex: the form of `certificatePins`. */
export function pinOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

/** The pin of the certificate that an identity shows. Throws for what is no certificate. */
export function pinOfIdentity({ cert }: TlsIdentity): string {
  return pinOf(new X509Certificate(cert))
}

/** Knows the connections of a server whose handshake is done: others can be told nothing. */
export class SecuredSockets {
  readonly #secured = new WeakSet<object>()

  secured(socket: TLSSocket): void {
    this.#secured.add(socket)
  }

  /** Whether what is written to the socket can reach the other side. */
  canBeTold(socket: object): boolean {
    return !(socket instanceof TLSSocket) || this.#secured.has(socket)
  }
}
