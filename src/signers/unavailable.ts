import { AnchormeshError } from '../platform/errors.ts'

/** A signature that can't be had now. `reason` is for machines: `away`, `key-differs`, `refused`, `busy`, `bad-signature`. */
export function signerUnavailable(path: string, what: string, reason: string): AnchormeshError {
  const hint =
    reason === 'key-differs'
      ? 'Compare its keys with keystore.json: anchormesh signer adopt takes over what the signer holds now.'
      : `Look at the process that node.signer names, unix:${path}; the node tries again by itself.`
  return new AnchormeshError('SIGNER_UNAVAILABLE', `the signer at ${path} can't be used: ${what}`, {
    hint,
    detail: { path, reason }
  })
}
