import { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { CountingTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { addressBlock } from './address-block.ts'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'
import { pinOf } from './tls.ts'

/** What client certificates are for. */
export interface CertificateRules {
  /** `required`: nobody without a pinned certificate is served (`http.mtls`). */
  readonly mtls: 'off' | 'required'
  /** The DID that `peers.yaml` pins a certificate to, by SHA-256 of its DER, as it stands now. */
  readonly didOfPin: (pin: string) => string | null
}

/** A certificate that a client has shown, and proven in the handshake to hold the key of. Times in ms since 1970. */
interface ShownCertificate {
  readonly pin: string
  readonly notBefore: number
  readonly notAfter: number
}

/** Why a certificate gives no right. */
export interface CertificateRefusal {
  readonly ok: false
  readonly code: 'CERTIFICATE_REQUIRED' | 'CERTIFICATE_NOT_PINNED'
  readonly detail: string
}

/** What a certificate is worth now. */
type Judged = { readonly ok: true; readonly did: string } | CertificateRefusal

interface Judge {
  readonly judge: () => Judged
  /** Whether nobody is served without a certificate, whatever else is shown. */
  readonly isRequired: boolean
}

/** A connection shows one certificate, at its beginning; reading it costs more than a look here. */
const shownOn = new WeakMap<object, ShownCertificate | null>()
const judges = new WeakMap<object, Judge>()

// Nothing but a word is told there, and who looks after a process by them has no certificate.
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz'])
const ADMIN_PATH = '/v1/admin/'

/**
 * Learns who a client is by its certificate, and where `mtls` is `required` refuses, before anything is read of a
 * body: who shows none, or a pinned one before or after its time, with 401 `CERTIFICATE_REQUIRED`; who shows another
 * with 403 `CERTIFICATE_NOT_PINNED`. `/livez` and `/readyz` are open, admin routes ask for their token instead, and
 * preflights are answered before they come here.
 */
export function checkCertificates(app: App, rules: CertificateRules, clock: Clock, audit: CountingTrail): void {
  app.addHook('onRequest', async (request) => {
    const shown = certificateOf(request.raw.socket)
    judges.set(request.raw, { judge: () => judge(shown, rules, clock.now()), isRequired: rules.mtls === 'required' })
    const path = request.routeOptions.url ?? 'unknown'
    if (rules.mtls === 'off' || OPEN_PATHS.has(path) || path.startsWith(ADMIN_PATH)) return
    const judged = judge(shown, rules, clock.now())
    if (judged.ok) return
    const { code, detail } = judged
    const subject = `${request.method} ${path}`
    audit.count({ action: 'ACCESS_REFUSED', actor: addressBlock(request.ip), subject, outcome: 'refused', code })
    throw new RequestRefused(code, detail)
  })
}

/**
 * The DID whose pinned certificate the client of this request has shown, or null. Asked again it looks at the pins and
 * the time again, so that who serves for long can tell when a right has ended.
 */
export function certificateDidOf(request: FastifyRequest): string | null {
  const judged = judges.get(request.raw)?.judge()
  return judged?.ok === true ? judged.did : null
}

/**
 * For an answer that lasts: why the certificate lets nobody in any more, or null as long as it does. Undefined where the
 * answer does not rest on one. `isReaders`: it is what the reader is known by.
 */
export function certificateLoss(
  request: FastifyRequest,
  isReaders: boolean
): (() => CertificateRefusal | null) | undefined {
  const found = judges.get(request.raw)
  if (found === undefined || !(isReaders || found.isRequired)) return undefined
  const { judge: again } = found
  return () => {
    const judged = again()
    return judged.ok ? null : judged
  }
}

function certificateOf(socket: object): ShownCertificate | null {
  if (!(socket instanceof TLSSocket)) return null
  const known = shownOn.get(socket)
  if (known !== undefined) return known
  const certificate = socket.getPeerX509Certificate()
  const shown =
    certificate === undefined
      ? null
      : {
          pin: pinOf(certificate),
          notBefore: new Date(certificate.validFrom).getTime(),
          notAfter: new Date(certificate.validTo).getTime()
        }
  shownOn.set(socket, shown)
  return shown
}

function judge(shown: ShownCertificate | null, { didOfPin }: CertificateRules, now: number): Judged {
  if (shown === null) return refused('CERTIFICATE_REQUIRED', 'this listener asks for a client certificate')
  const did = didOfPin(shown.pin)
  if (did === null)
    return refused('CERTIFICATE_NOT_PINNED', `no peer of this node has pinned the certificate ${shown.pin}`)
  if (now < shown.notBefore) return refused('CERTIFICATE_REQUIRED', 'the certificate that was shown is not valid yet')
  if (now > shown.notAfter) return refused('CERTIFICATE_REQUIRED', 'the certificate that was shown has ended')
  return { ok: true, did }
}

function refused(code: CertificateRefusal['code'], detail: string): CertificateRefusal {
  return { ok: false, code, detail }
}
