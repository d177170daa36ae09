import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { SyslogTransport } from '../../audit/syslog-transport.ts'
import { createTlsSyslogTransport } from '../../network/syslog/tls-transport.ts'
import type { TlsCredentials } from '../../network/syslog/tls-transport.ts'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'

type FileKey = 'syslogCa' | 'syslogCert' | 'syslogKey'

/**
 * The way to the collector that `audit.syslog` names; null where it names none. Nobody is asked yet. Relative names of
 * files are looked for in `folder`. Throws `CONFIG_INVALID` for a port or a file that can't be used.
 */
export async function configuredSyslog(
  { audit }: FederationConfig,
  folder: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger }
): Promise<SyslogTransport | null> {
  if (audit.syslog === undefined) return null
  const { host, port } = addressOf(audit.syslog)
  const shown = await credentials(audit, folder)
  // Certificates are renewed while a node runs; files that do not go together, as in the middle of that, change nothing.
  let told = ''
  const renewed = async (): Promise<TlsCredentials | null> => {
    try {
      return await credentials(audit, folder)
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== told) logger.warn({ reason }, 'the collector is shown the certificate of before')
      told = reason
      return null
    }
  }
  return createTlsSyslogTransport({ host, port, hostname: hostname(), ...shown, renewed }, clock)
}

async function credentials(audit: FederationConfig['audit'], folder: string): Promise<TlsCredentials> {
  const read = async (key: FileKey): Promise<string | undefined> => {
    const file = audit[key]
    return file === undefined ? undefined : await readPem(key, resolve(folder, file))
  }
  const [ca, cert, key] = [await read('syslogCa'), await read('syslogCert'), await read('syslogKey')]
  try {
    if (cert !== undefined && key !== undefined) createSecureContext({ cert, key })
  } catch (error) {
    throw invalid('syslogCert', `it does not go with audit.syslogKey: ${messageOf(error)}`)
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key })
  }
}

/** The host as it is written: it is what the collector's certificate is compared with. */
function addressOf(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (port === 0) throw invalid('syslog', 'it has the port 0, where no collector can be')
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port }
}

async function readPem(key: FileKey, file: string): Promise<string> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw invalid(key, `${file} can't be read: ${messageOf(error)}`)
  }
  try {
    if (key !== 'syslogKey') createSecureContext(key === 'syslogCa' ? { ca: text } : { cert: text })
  } catch (error) {
    throw invalid(key, `${file} can't be used: ${messageOf(error)}`)
  }
  if (!text.includes('-----BEGIN ')) throw invalid(key, `${file} is no PEM`)
  return text
}

function invalid(key: string, why: string): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', `audit.${key}: ${why}`, {
    hint: 'audit.syslog is HOST:PORT of a collector that speaks syslog over TLS; its files are PEM.',
    detail: { key: `audit.${key}` }
  })
}
