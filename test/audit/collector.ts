import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import type { SecureVersion, TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { AuditRecord } from '../../protocols/audit/v1/record.ts'
import { decodeAuditRecord } from '../../protocols/audit/v1/record.ts'
import { temporaryFolder } from '../support/folders.ts'
import type { SyslogMessage } from './rfc5424.ts'
import { framesIn, parseMessage } from './rfc5424.ts'

/** PEM by name: `ca.pem`, `server.key` and so on. */
export interface Certificates {
  readonly ca: string
  read(name: string): string
}

/** An authority and, by openssl, certificates of it: `server` (localhost, 127.0.0.1), `other` (another name), `client`. */
export function makeCertificates(): Certificates {
  const folder = temporaryFolder()
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
  for (const ca of ['ca', 'strange'])
    openssl('req', '-x509', ...ec, '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-subj', `/CN=${ca}`)
  const names = { server: 'DNS:localhost,IP:127.0.0.1', other: 'DNS:other.example', client: 'DNS:node.example' }
  for (const [name, alternative] of Object.entries(names)) {
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', `subjectAltName=${alternative}`]
    openssl('req', '-x509', ...ec, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, ...signed)
  }
  // The folder is gone after the test that happens to run.
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
  const read = (name: string): string => files.get(name) ?? ''
  return { ca: read('ca.pem'), read }
}

export interface CollectorOptions {
  readonly certificate?: 'server' | 'other'
  readonly asksClients?: boolean
  /** The newest TLS that it speaks; 1.3 by default. */
  readonly maxVersion?: SecureVersion
  /** Does what the test wants with a connection; by default everything is read. */
  readonly onConnection?: (socket: TLSSocket, take: (chunk: Buffer) => void, tcp: Socket) => void
}

/** A syslog collector over TLS, that keeps what it has read. */
export interface Collector {
  readonly port: number
  /** Strictly parsed, in the order in which they came. */
  messages(): readonly SyslogMessage[]
  /** The records of the messages that hold one, each checked by itself. */
  records(): readonly AuditRecord[]
  connections(): number
  stop(): Promise<void>
}

export async function startCollector(
  certificates: Certificates,
  options: CollectorOptions & { readonly port?: number } = {}
): Promise<Collector> {
  const { certificate = 'server', asksClients = false, port = 0, maxVersion = 'TLSv1.3' } = options
  const messages: SyslogMessage[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({
    key: certificates.read(`${certificate}.key`),
    cert: certificates.read(`${certificate}.pem`),
    ca: certificates.ca,
    minVersion: 'TLSv1.1',
    maxVersion,
    requestCert: asksClients,
    rejectUnauthorized: asksClients
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', (socket) => {
    connections += 1
    let rest = Buffer.alloc(0)
    const take = (chunk: Buffer): void => {
      const read = framesIn(Buffer.concat([rest, chunk]))
      rest = Buffer.from(read.rest)
      for (const frame of read.frames) messages.push(parseMessage(frame))
    }
    // A connection that a test breaks.
    socket.on('error', () => socket.destroy())
    const tcp = [...sockets].find(({ remotePort }) => remotePort === socket.remotePort)
    if (options.onConnection === undefined || tcp === undefined) socket.on('data', take)
    else options.onConnection(socket, take, tcp)
  })
  await new Promise<void>((listening) => {
    server.listen(port, '127.0.0.1', listening)
  })
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((closed) => {
      server.close(() => closed())
    })
  }
  onTestFinished(stop)
  return {
    port: (server.address() as AddressInfo).port,
    messages: () => messages,
    records: () =>
      messages.flatMap(({ text }) => {
        const decoding = decodeAuditRecord(Buffer.from(text))
        return decoding.ok ? [decoding.record] : []
      }),
    connections: () => connections,
    stop
  }
}
