import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { DID_PATTERN, HASH_PATTERN, NAMESPACE_PATTERN, SIGNER_CHARS_MAX } from '../../protocols/event/v1/envelope.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'
import { splitListen } from './listen-address.ts'
import { MULTIADDR_PATTERN, TENANT_PATTERN } from './names.ts'
import { urlCredentials } from './url-credentials.ts'

/** The forms of single values, as both configuration files have them. */

export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** Lists of names and addresses are written by people; far more entries than that is a mistake in a script. */
export const LIST_ITEMS_MAX = 4_096
/** A path or URL beyond this is refused by common servers and file systems anyway. */
export const TEXT_CHARS_MAX = 2_048

export const did = z
  .string()
  .max(SIGNER_CHARS_MAX, `is longer than ${SIGNER_CHARS_MAX} characters`)
  .regex(DID_PATTERN, 'is not a DID (did:method:identifier)')
export const orgId = z
  .string()
  .regex(NAME_PATTERN, 'is not an organisation id (letters, digits, . _ : # -; at most 128)')
export const tenant = z
  .string()
  .regex(TENANT_PATTERN, 'is not a tenant (lower-case letters, digits, _ and -; at most 64)')
export const kid = z.string().regex(KID_PATTERN, 'is not a key id (letters, digits, . _ : # -; at most 128)')
export const hash = z.string().regex(HASH_PATTERN, 'is not a SHA-256 hash (64 lower-case hex digits)')
export const text = z.string().min(1, 'is empty').max(TEXT_CHARS_MAX, `is longer than ${TEXT_CHARS_MAX} characters`)
export const httpUrl = text.refine((address) => {
  const url = URL.canParse(address) ? new URL(address) : null
  return url !== null && ['http:', 'https:'].includes(url.protocol) && urlCredentials(url) !== null
}, 'is not an http or https URL')
export const multiaddr = text.regex(MULTIADDR_PATTERN, 'is not a multiaddr (such as /ip4/203.0.113.7/tcp/4088)')
export const namespace = z
  .string()
  .regex(
    NAMESPACE_PATTERN,
    'is not a namespace (lower-case letters, digits, . _ : -; at most 64; _trust needs no entry)'
  )

/** A list without repeats; `what` names one entry in the message. */
export function listOf<T extends z.ZodType<string>>(item: T, what: string): z.ZodArray<T> {
  return z
    .array(item)
    .max(LIST_ITEMS_MAX, `has more than ${LIST_ITEMS_MAX} entries`)
    .superRefine((items, context) => {
      items.forEach((value, index) => {
        if (items.indexOf(value) < index) {
          context.addIssue({ code: 'custom', path: [index], message: `names the ${what} ${value} a second time` })
        }
      })
    })
}

/** A list of mappings; what may not occur twice in it is checked where the files are put together. */
export function entriesOf<T extends z.ZodType>(entry: T): z.ZodDefault<z.ZodArray<T>> {
  return z.array(entry).max(LIST_ITEMS_MAX, `has more than ${LIST_ITEMS_MAX} entries`).default([])
}

export function milliseconds(min: number, max: number): z.ZodInt {
  return z.int().min(min, `is below ${min} ms`).max(max, `is above ${max} ms`)
}

export function count(min: number, max: number): z.ZodInt {
  return z.int().min(min, `is below ${min}`).max(max, `is above ${max}`)
}

export const listenAddress = text.refine(
  (listen) => splitListen(listen) !== null,
  'is not HOST:PORT (such as 127.0.0.1:8088 or [::1]:8088)'
)
