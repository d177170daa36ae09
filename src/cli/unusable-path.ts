import { errnoOf } from '../platform/atomic-file.ts'
import { AnchormeshError } from '../platform/errors.ts'

/** Why a path that somebody typed leads nowhere; whatever else fails is the machine's. */
const REASONS: Readonly<Partial<Record<string, string>>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'its permissions forbid it',
  EPERM: 'its permissions forbid it',
  EROFS: 'its file system is read-only',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  ENXIO: 'it is no file'
}

/** Wrong usage (`USAGE`) where the path is at fault, else the error as it came. */
export function unusablePath(path: string, what: 'read' | 'written', error: unknown): unknown {
  const errno = errnoOf(error) ?? ''
  const reason = REASONS[errno]
  if (reason === undefined) return error
  return new AnchormeshError('USAGE', `${path} can't be ${what}: ${reason}`, {
    hint: 'Look whether the path is what you mean, and what you may do there.',
    detail: { path, errno },
    cause: error
  })
}
