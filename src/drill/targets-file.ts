import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { decodeIJson } from '../../protocols/canonical-json/v1/codec.ts'
import { NAME_CHARS_MAX } from '../../protocols/drill-report/v1/report-shape.ts'
import { NAMESPACE_PATTERN, isDid } from '../../protocols/event/v1/envelope.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'
import { errnoOf } from '../platform/atomic-file.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { readAddress } from './addresses.ts'

/** The name of a target is that of a folder of its evidence, too. */
export const TARGET_NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** For one exchange, where nothing else is said: a slow line and a busy node. */
export const TIMEOUT_MS_DEFAULT = 10_000
const TIMEOUT_MS_MAX = 120_000
// Staging, preprod, production and some regions.
const TARGETS_MAX = 64
// The environments, their keys of some years.
const KEYS_MAX = 64
const FILE_BYTES_MAX = 1024 * 1024

const address = z.string().superRefine((text, context) => {
  const reading = readAddress(text)
  if (!reading.ok) context.addIssue({ code: 'custom', message: reading.detail })
})

const publicKey = z
  .string()
  .refine((text) => checkPublicKey(fromBase64url(text) ?? new Uint8Array()).ok, 'is no Ed25519 public key in base64url')

const targetSchema = z
  .strictObject({
    base_url: address,
    admin_url: address.exactOptional(),
    admin_token_env: z
      .string()
      .regex(/^[A-Z_][A-Z0-9_]{0,127}$/, 'is no name of an environment variable: letters A to Z, digits and _'),
    remote_node_id: z
      .string()
      .min(1)
      .max(NAME_CHARS_MAX)
      .regex(/^\P{Cc}+$/u, 'holds control characters'),
    namespace: z.string().regex(NAMESPACE_PATTERN, 'is no namespace').exactOptional(),
    did: z.string().refine(isDid, 'is no DID').exactOptional(),
    keys: z
      .array(z.strictObject({ kid: z.string().regex(KID_PATTERN, 'is no kid'), public_key: publicKey }))
      .max(KEYS_MAX)
      .exactOptional(),
    tls: z
      .strictObject({
        ca: z.string().exactOptional(),
        pin_sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in lower-case hex')
          .exactOptional(),
        cert: z.string().exactOptional(),
        key: z.string().exactOptional()
      })
      .exactOptional(),
    timeout_ms: z.int().min(100).max(TIMEOUT_MS_MAX).exactOptional()
  })
  .refine(({ did, keys }) => keys === undefined || did !== undefined, 'has keys, but no did whose they are')
  .refine(({ tls }) => (tls?.cert === undefined) === (tls?.key === undefined), 'tls: cert and key go together')

const fileSchema = z.strictObject({
  v: z.literal(1),
  targets: z
    .record(z.string().regex(TARGET_NAME_PATTERN, 'is no name of a target: a to z, digits, . _ and -'), targetSchema)
    .refine((targets) => Object.keys(targets).length <= TARGETS_MAX, `has more than ${TARGETS_MAX} targets`)
})

/** A target as the file has it. */
export type TargetEntry = z.output<typeof targetSchema>

export interface TargetsFile {
  readonly path: string
  readonly targets: ReadonlyMap<string, TargetEntry>
  /** The text, to look for tokens that should not be in it. */
  readonly text: string
  /** A path of the file is relative to its folder. */
  resolve(path: string): string
}

/**
 * Reads a file of targets. Throws `CONFIG_INVALID` for one that is not there or not of its form. What a member holds is
 * never repeated: it may be a token that somebody put there by mistake.
 */
export async function readTargetsFile(path: string): Promise<TargetsFile> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw invalid(path, errnoOf(error) === 'ENOENT' ? 'there is no such file' : `it can't be read: ${errnoOf(error)}`)
  })
  if (bytes.length > FILE_BYTES_MAX) throw invalid(path, `it has more than ${FILE_BYTES_MAX} bytes`)
  const decoded = decodeIJson(bytes)
  if (!decoded.ok) throw invalid(path, `it is no JSON (${decoded.code})`)
  const parsed = fileSchema.safeParse(decoded.value)
  if (!parsed.success) throw invalid(path, parsed.error.issues.map(problemOf).join('\n'))
  return {
    path,
    targets: new Map(Object.entries(parsed.data.targets)),
    text: bytes.toString('utf8'),
    resolve: (named) => resolve(dirname(path), named)
  }
}

function problemOf(issue: z.core.$ZodIssue): string {
  const where = issue.path.map(String).join('.')
  const place = where === '' ? 'the file' : where
  if (issue.code !== 'unrecognized_keys') return `${place}: ${issue.message}`
  const isToken = issue.keys.some((key) => /token|secret|password|bearer/i.test(key))
  return isToken
    ? `${place}: holds a token; name the environment variable that has it by admin_token_env`
    : `${place}: unknown member ${issue.keys.map((key) => JSON.stringify(key.slice(0, 40))).join(', ')}`
}

function invalid(path: string, what: string): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', `${path}: ${what}`, {
    hint: 'config/interop-targets.example.json shows the form.'
  })
}
