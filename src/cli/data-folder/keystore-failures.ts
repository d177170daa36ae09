import { AnchormeshError } from '../../platform/errors.ts'

/** A keystore that can't be used. `cause` never quotes its text. */
export function keystoreCorrupt(path: string, what: string, cause?: unknown): AnchormeshError {
  return new AnchormeshError('KEYSTORE_CORRUPT', `${path} ${what}`, {
    hint:
      'Put keystore.json back from a backup. Without it this node can only start anew, as another one: ' +
      'anchormesh init with another --data folder.',
    ...(cause === undefined ? {} : { cause })
  })
}
