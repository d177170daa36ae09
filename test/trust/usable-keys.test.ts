import { describe, expect, it } from 'vitest'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { usableKeys } from '../../src/trust/usable-keys.ts'
import type { KnownKeys } from '../../src/trust/usable-keys.ts'
import { member } from '../support/identities.ts'

const KID = 'machine-1'
const [first, second, third] = ['first', 'second', 'third'].map((name) => toBase64url(member(name).signer.publicKey))
const key = (text: string | undefined): string => text ?? ''
const everBound = [first, second].map((text) => restorePublicKey(Buffer.from(key(text), 'base64url')))

/** The public keys that may sign, or why none may. */
function usable(known: Partial<KnownKeys>): readonly string[] | string {
  const found = usableKeys({ kid: KID, everBound, standing: undefined, configured: [], ...known })
  return found.ok ? found.keys.map(({ bytes }) => toBase64url(bytes)) : found.code
}

describe('the keys that may sign requests now', () => {
  it('are those that policy binds by the kid, where packs know no such kid', () => {
    expect(usable({ configured: [{ kid: KID, publicKey: key(first) }] })).toEqual([first])
    expect(usable({ configured: [{ kid: 'machine-2', publicKey: key(first) }] })).toEqual([])
    expect(usable({})).toEqual([])
  })

  it('are the one that packs show as ACTIVE, whatever policy binds', () => {
    const configured = [{ kid: KID, publicKey: key(first) }]
    expect(usable({ standing: { publicKey: key(second), status: 'ACTIVE' }, configured })).toEqual([second])
  })

  it.each(['RETIRED', 'REVOKED'] as const)(
    'are none once packs show the kid as %s, whatever policy binds',
    (status) => {
      const configured = [{ kid: KID, publicKey: key(first) }]
      expect(usable({ standing: { publicKey: key(first), status }, configured })).toBe('KEY_NOT_ACTIVE')
    }
  )

  it('are none as long as the right one is not bound here', () => {
    expect(usable({ standing: { publicKey: key(third), status: 'ACTIVE' } })).toEqual([])
    expect(usable({ configured: [{ kid: KID, publicKey: key(third) }] })).toEqual([])
  })
})
