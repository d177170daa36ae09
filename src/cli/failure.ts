import { DAMAGE_HINT } from '../log/damage-hint.ts'
import { AnchormeshError, EXIT, messageOf } from '../platform/errors.ts'
import type { FailureCode } from '../platform/errors.ts'
import { cellText } from './table.ts'

/** A failure as the command line tells it. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly detail?: unknown
  readonly exitCode: number
}

/** The question was wrong, not the answer. */
const USAGE_CODES: ReadonlySet<FailureCode> = new Set([
  'USAGE',
  'CONFIG_INVALID',
  'QUERY_INVALID',
  'UNKNOWN_PROJECTION',
  'RAIL_NOT_CONFIGURED',
  'SEALING_NOT_CONFIGURED'
])
/** Asked again later, the same command may well be done. */
const UNDECIDED_CODES: ReadonlySet<FailureCode> = new Set([
  'NOT_YET',
  'TSA_REQUEST_FAILED',
  'PEER_UNREACHABLE',
  'RECEIPTS_QUEUE_FULL',
  'ANCHORINGS_FULL'
])

const HINTS: Readonly<Partial<Record<string, string>>> = {
  ENOSPC: 'The disk is full. Make room and run the command again; nothing that was acknowledged is lost.',
  EACCES: 'Look at the permissions of the file and the folders above it.',
  EPERM: 'Look at the permissions of the file and the folders above it.',
  ENOENT: 'Look whether the path is what you mean.',
  EISDIR: 'Give a file, not a folder.',
  STORE_CORRUPT: DAMAGE_HINT,
  STORE_LOCKED: 'Stop the other process, or look whether it still runs.',
  NOT_YET: 'Ask again in a moment.',
  TSA_REQUEST_FAILED: 'Look whether the authority can be reached from here, and ask again.',
  PEER_UNREACHABLE: 'Look whether the other node runs and can be reached from here, and ask again.',
  ROLE_MISSING: 'It needs the role in peers.yaml and the DID among the members of the namespace in federation.yaml.',
  MAPPING_VIOLATION: 'Compare keys[].tenant in peers.yaml with the tenant of the namespace in federation.yaml.',
  ATTESTATION_DENIED: 'Compare node.measurement with the attestations of the namespace in federation.yaml.',
  CROSS_ORG_DENIED: 'crossOrg in peers.yaml says what one organisation may do to another.',
  KEY_CUT_OFF: 'anchormesh keys list shows the keys; keys add and pack publish put a new one into force.',
  PACK_STATUS_BACKWARD: 'A key is never made valid again: anchormesh keys add makes another one.',
  PACK_SIGNER_FOREIGN: 'anchormesh keys list shows the keys of this organisation.',
  NOT_FOUND: 'anchormesh status shows the namespaces that this node carries.',
  INTERNAL: 'This is a defect of Anchormesh: please report it with the command and these lines.'
}

const HINT_OF_ALL = 'anchormesh status shows how the node is, anchormesh --help the commands and their options.'

/** What to tell of anything that a command threw. */
export function failureOf(error: unknown): Failure {
  if (error instanceof AnchormeshError) {
    return {
      code: publicCodeOf(error),
      message: error.message,
      hint: error.hint ?? HINTS[publicCodeOf(error)] ?? HINT_OF_ALL,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      exitCode: exitCodeOf(error.code)
    }
  }
  if (isSystemError(error)) {
    const hint = HINTS[error.code] ?? 'The operating system refused this; its code says why.'
    return { code: error.code, message: error.message, hint, exitCode: EXIT.failed }
  }
  return {
    code: 'INTERNAL',
    message: messageOf(error),
    hint: HINTS['INTERNAL'] ?? '',
    ...(error instanceof Error ? { detail: { stack: error.stack } } : {}),
    exitCode: EXIT.failed
  }
}

/** The failure as one JSON object, or as lines for a person. */
export function failureText(failure: Failure, json: boolean): string {
  const { code, message, hint, detail } = failure
  if (json) return JSON.stringify({ error: { code, message, hint, ...(detail === undefined ? {} : { detail }) } })
  const lines = message.split('\n').map(cellText)
  const stack = code === 'INTERNAL' ? (detail as { stack?: string } | undefined)?.stack : undefined
  return [
    `error ${code}: ${lines[0]}`,
    ...lines.slice(1).map((line) => `  ${line}`),
    ...hint.split('\n').map((line) => `hint: ${line}`),
    ...(stack === undefined ? [] : [stack])
  ].join('\n')
}

/** An event that is refused before it is published has the code that it would get everywhere else. */
function publicCodeOf({ code, detail }: AnchormeshError): string {
  const refusedWith = code === 'PUBLISH_REFUSED' ? detail?.['code'] : undefined
  return typeof refusedWith === 'string' ? refusedWith : code
}

function exitCodeOf(code: FailureCode): number {
  if (USAGE_CODES.has(code)) return EXIT.usage
  return UNDECIDED_CODES.has(code) ? EXIT.undecided : EXIT.failed
}

/** What the operating system refused (`ENOENT`, `EACCES`) is no defect. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}
