/**
 * The stable codes of faults in the configuration that scripts may want to tell apart; a value that is merely not of its
 * form has none.
 *
 * - `DUPLICATE_KEY`: one key twice in a mapping
 * - `YAML_CYCLE`: an alias of something that it is part of
 * - `UNKNOWN_DID`: a DID that is neither this node nor in `peers.yaml`
 * - `KEY_CONFLICT`: one kid for two keys of an organisation, or in the key domains of two tenants
 * - `KEY_WEAK`: a public key under which anybody could sign
 * - `FILE_MISSING`: a file (or the folder of a socket) that is named and not there
 * - `FILE_INVALID`: one that can't be read, or does not hold what it should
 */
export type ProblemCode =
  'DUPLICATE_KEY' | 'YAML_CYCLE' | 'UNKNOWN_DID' | 'KEY_CONFLICT' | 'KEY_WEAK' | 'FILE_MISSING' | 'FILE_INVALID'

/** What is wrong in the configuration beyond the form of single values; `path` leads to the key in `file`. */
export interface PolicyProblem extends ProblemPlace {
  readonly message: string
  readonly code?: ProblemCode
}

/** A key in one of the two files. */
export interface ProblemPlace {
  readonly file: 'federation.yaml' | 'peers.yaml'
  readonly path: readonly (string | number)[]
}
