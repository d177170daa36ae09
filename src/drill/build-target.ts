import { readFile } from 'node:fs/promises'
import { errnoOf } from '../platform/atomic-file.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { DrillTarget } from './drill-target.ts'
import type { TargetPins } from '../proofs/node-keys.ts'
import type { TargetEntry, TargetsFile } from './targets-file.ts'
import { TIMEOUT_MS_DEFAULT } from './targets-file.ts'
import type { DrillTls } from './tls.ts'

/** Paths of PEM files, and the pin. */
export interface TlsFiles {
  readonly ca?: string | undefined
  readonly pinSha256?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** Reads the files. Throws `CONFIG_INVALID` where one can't be read. */
export async function readTls({ ca, pinSha256, cert, key }: TlsFiles): Promise<DrillTls> {
  const [caPem, certPem, keyPem] = await Promise.all([pemOf(ca), pemOf(cert), pemOf(key)])
  return {
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(pinSha256 === undefined ? {} : { pinSha256 }),
    ...(certPem === undefined ? {} : { cert: certPem }),
    ...(keyPem === undefined ? {} : { key: keyPem })
  }
}

/** The target of an entry. Throws as `readTls` does. */
export async function buildTarget(file: TargetsFile, name: string, entry: TargetEntry): Promise<DrillTarget> {
  const base = new URL(entry.base_url)
  const pins = pinsOf(entry)
  const at = (path: string | undefined): string | undefined => (path === undefined ? undefined : file.resolve(path))
  const { ca, cert, key, pin_sha256: pinSha256 } = entry.tls ?? {}
  return {
    name,
    base,
    admin: entry.admin_url === undefined ? base : new URL(entry.admin_url),
    tls: await readTls({ ca: at(ca), cert: at(cert), key: at(key), pinSha256 }),
    remoteNodeId: entry.remote_node_id,
    timeoutMs: entry.timeout_ms ?? TIMEOUT_MS_DEFAULT,
    ...(entry.namespace === undefined ? {} : { namespace: entry.namespace }),
    ...(pins === null ? {} : { pins })
  }
}

/** What the entry says of whom the target is; null where it says nothing. */
export function pinsOf({ did, keys = [] }: TargetEntry): TargetPins | null {
  if (did === undefined) return null
  return { did, keys: keys.map(({ kid, public_key: publicKey }) => ({ kid, publicKey })) }
}

async function pemOf(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new AnchormeshError('CONFIG_INVALID', `${path} can't be read: ${errnoOf(error) ?? 'unknown reason'}`, {
      hint: 'It must be a PEM file.',
      cause: error
    })
  }
}
