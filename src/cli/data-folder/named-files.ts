import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errnoOf } from '../../platform/atomic-file.ts'
import { messageOf } from '../../platform/errors.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import type { PolicyProblem } from '../../policy/policy.ts'
import type { ProblemCode } from '../../policy/problems.ts'

/** Something that a configuration names by its path, and what has to be there. */
interface Named {
  readonly path: readonly (string | number)[]
  readonly file: string
  readonly is: 'file' | 'folder'
}

/**
 * What `federation.yaml` names and is not there: the files of `audit`, the folder of a signer's socket (the process that
 * signs may be started later). Relative names are looked for in `folder`. Certificates of time-stamping authorities are
 * read, and judged, by `readTsaCertificates`, the files of `http.tls` by `readTlsIdentity`, and key files of accounts by
 * `readPayingAccounts`.
 */
export async function namedFileProblems(federation: FederationConfig, folder: string): Promise<PolicyProblem[]> {
  const problems: PolicyProblem[] = []
  for (const { path, file, is } of namedIn(federation)) {
    const place = { file: 'federation.yaml', path } as const
    const found = resolve(folder, file)
    try {
      const there = await stat(found)
      if (is === 'file' ? there.isFile() : there.isDirectory()) continue
      problems.push({ ...place, message: `names ${found}, which is no ${is}`, code: 'FILE_INVALID' })
    } catch (error) {
      problems.push({ ...place, ...unreadable(found, error) })
    }
  }
  return problems
}

/** What to say of a file that could not be read. */
export function unreadable(
  file: string,
  error: unknown
): { readonly message: string; readonly code: Extract<ProblemCode, 'FILE_MISSING' | 'FILE_INVALID'> } {
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return { message: `names ${file}, which is not there`, code: 'FILE_MISSING' }
  return { message: `names ${file}, which can't be read: ${messageOf(error)}`, code: 'FILE_INVALID' }
}

function namedIn({ node, audit }: FederationConfig): readonly Named[] {
  const named: Named[] = []
  const add = (path: readonly string[], file: string | undefined): void => {
    if (file !== undefined) named.push({ path, file, is: 'file' })
  }
  if (node.signer !== undefined) {
    const socket = node.signer.slice('unix:'.length)
    named.push({ path: ['node', 'signer'], file: dirname(socket), is: 'folder' })
  }
  add(['audit', 'syslogCa'], audit.syslogCa)
  add(['audit', 'syslogCert'], audit.syslogCert)
  add(['audit', 'syslogKey'], audit.syslogKey)
  return named
}
