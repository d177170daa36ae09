import { InvalidArgumentError } from 'commander'
import { isDid } from '../../protocols/event/v1/envelope.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'

/** A public key that the reader of a proof knows to be a signer's. */
export interface KnownKey {
  readonly did: string
  readonly kid: string
  readonly publicKey: Uint8Array
}

/** What `anchormesh verify` is told to trust. */
export interface TrustOptions {
  readonly tsaRoot?: readonly string[]
  readonly tsaCertificate?: readonly string[]
  readonly headers?: readonly string[]
  readonly key?: readonly KnownKey[]
  readonly owner?: readonly string[]
}

/** Reader of `--key DID#KID=KEY` for commander. */
export function keyArgument(text: string, before: readonly KnownKey[] = []): readonly KnownKey[] {
  const [, did = '', kid = '', encoded = ''] = /^([^#]+)#(.+)=([A-Za-z0-9_-]{43})$/.exec(text) ?? []
  const publicKey = fromBase64url(encoded)
  if (isDid(did) && KID_PATTERN.test(kid) && publicKey !== null) return [...before, { did, kid, publicKey }]
  throw new InvalidArgumentError('A key is DID#KID=KEY, the key being 32 bytes in base64url without padding.')
}

/** Reader of `--owner DID` for commander. */
export function ownerArgument(text: string, before: readonly string[] = []): readonly string[] {
  if (isDid(text)) return [...before, text]
  throw new InvalidArgumentError('An owner is named by a DID, such as did:key:z6Mk….')
}
