import { Point } from '@noble/ed25519'

/** Length of an Ed25519 public key in bytes. */
export const PUBLIC_KEY_BYTES = 32

/**
 * An Ed25519 public key that was found good: a canonical encoding of a point of prime order. Only `checkPublicKey`
 * makes one (and `restorePublicKey` takes one back), so whoever holds it need not check again.
 */
export type { CheckedPublicKey }

export type PublicKeyCheck =
  | { readonly ok: true; readonly key: CheckedPublicKey }
  | { readonly ok: false; readonly code: 'KEY_WEAK'; readonly detail: string }

class CheckedPublicKey {
  /** The key as it is written: 32 bytes. Not to be changed. */
  readonly bytes: Uint8Array
  #point: Point | undefined

  constructor(bytes: Uint8Array, point?: Point) {
    this.bytes = bytes
    this.#point = point
  }

  /** The key as a point of the curve. */
  get point(): Point {
    this.#point ??= Point.fromBytes(this.bytes, false)
    return this.#point
  }
}

/**
 * Checks a public key by SPEC SIG-1 to SIG-3. It costs a scalar multiplication (milliseconds), so it is done once, when
 * a key is first bound to somebody. `KEY_WEAK`: wrong length, not a canonical encoding, not on the curve, the identity,
 * or not of prime order.
 */
export function checkPublicKey(bytes: Uint8Array): PublicKeyCheck {
  if (bytes.length !== PUBLIC_KEY_BYTES) return weak(`${bytes.length} bytes, not ${PUBLIC_KEY_BYTES}`)
  const own = Uint8Array.from(bytes)
  let point: Point
  try {
    // RFC 8032 section 5.1.3, strictly: y below p, and no "negative zero" x.
    point = Point.fromBytes(own, false)
  } catch {
    return weak('not the canonical encoding of a point on the curve')
  }
  if (point.is0()) return weak('the identity point')
  if (!point.isTorsionFree()) return weak('not of prime order')
  return { ok: true, key: new CheckedPublicKey(own, point) }
}

/**
 * Takes a key (32 bytes) back that `checkPublicKey` found good when it was bound, from where only such keys are kept:
 * this node's own log. For anything that came from elsewhere, use `checkPublicKey`.
 */
export function restorePublicKey(bytes: Uint8Array): CheckedPublicKey {
  return new CheckedPublicKey(Uint8Array.from(bytes))
}

function weak(detail: string): PublicKeyCheck {
  return { ok: false, code: 'KEY_WEAK', detail }
}
