import { AnchormeshError } from '../platform/errors.ts'

/** The failure of a pack that would have no effect, with the code that it would get everywhere else. */
export function packRefused(code: string, detail: string): AnchormeshError {
  return new AnchormeshError('PUBLISH_REFUSED', `not published: ${code}: ${detail}`, { detail: { code } })
}

export function staleDraft(why: string): AnchormeshError {
  return new AnchormeshError('PACK_DRAFT_STALE', `the draft can't become a pack any more: ${why}`, {
    hint: 'Make a new one: anchormesh pack publish --discard-draft'
  })
}

export function unknownSigner(kid: string, orgId: string): AnchormeshError {
  return new AnchormeshError('SIGNER_UNKNOWN', `${orgId} has no key ${kid}`, {
    hint: 'anchormesh keys list shows those that there are.'
  })
}
