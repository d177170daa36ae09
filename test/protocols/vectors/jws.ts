import { didKeyOf, kidOfDidKey } from '../../../protocols/signature/v1/did-key.ts'
import { hex, keyOf } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

const signer = keyOf('anchormesh vectors: signer')
const MESSAGE = Buffer.from('a message of the vectors')

export function didKeys(): Vector[] {
  const did = didKeyOf(signer.publicKey)
  const none = (description: string, text: string): Vector => ({ description, did: text, publicKey: null, kid: null })
  return [
    { description: 'an ordinary key', did, publicKey: hex(signer.publicKey), kid: kidOfDidKey(did) },
    {
      description: 'the example of did:key (W3C CCG did:key method, section 3)',
      did: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
      publicKey: '2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6',
      kid: 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
    },
    none('a fragment', `${did}#${kidOfDidKey(did)}`),
    none('a character too many', `${did}1`),
    none('a character too few', did.slice(0, -1)),
    none('a character that base58 has not', `${did.slice(0, -1)}0`),
    none('a key of secp256k1', 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme'),
    none('a key of X25519', 'did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc'),
    none('another method', 'did:web:example.org'),
    none('upper case', did.toUpperCase()),
    none('nothing', '')
  ]
}

const KID = kidOfDidKey(didKeyOf(signer.publicKey)) as string
const TYP = 'anchormesh.event.announce.v1+jws'
const headerText = (kid: string, typ: string): string =>
  `{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${kid}","typ":"${typ}"}`
const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')

export function jws(): Vector[] {
  const over = (description: string, kid: string, typ: string, payload: Buffer): Vector => {
    const header = base64url(headerText(kid, typ))
    const input = Buffer.concat([Buffer.from(`${header}.`), payload])
    const signature = signer.sign(input)
    return {
      description,
      kid,
      typ,
      headerText: headerText(kid, typ),
      protected: header,
      payload: hex(payload),
      signingInput: hex(input),
      publicKey: hex(signer.publicKey),
      signature: hex(signature),
      serialization: hex(`{"signatures":[{"protected":"${header}","signature":"${base64url(signature)}"}]}`)
    }
  }
  return [
    over('an event', KID, TYP, Buffer.from('{"a":1}')),
    over('an empty payload', KID, TYP, Buffer.alloc(0)),
    over('a payload with full stops and bytes that are no text', KID, TYP, Buffer.of(0x2e, 0x00, 0xff, 0x2e)),
    over('another purpose', KID, 'anchormesh.request.v1+jws', Buffer.from('{"a":1}')),
    over('a kid with every kind of character', 'did:web:example.org#key-1_a.B', TYP, Buffer.from('{}')),
    over('a kid of one character', '0', TYP, Buffer.from('{}'))
  ]
}

export function invalidJws(): Vector[] {
  const header = base64url(headerText(KID, TYP))
  const signature = base64url(signer.sign(MESSAGE))
  const entry = `{"protected":"${header}","signature":"${signature}"}`
  const invalid = (description: string, code: string, text: string): Vector => ({
    description,
    code,
    serialization: hex(text)
  })
  const list = (...entries: readonly string[]): string => `{"signatures":[${entries.join(',')}]}`
  return [
    invalid('nothing', 'MALFORMED', ''),
    invalid('cut off', 'MALFORMED', list(entry).slice(0, -1)),
    invalid('white space', 'NOT_CANONICAL', `${list(entry)}\n`),
    invalid('members not in order', 'NOT_CANONICAL', list(`{"signature":"${signature}","protected":"${header}"}`)),
    invalid(
      'a member twice',
      'DUPLICATE_KEY',
      list(`{"protected":"${header}","protected":"${header}","signature":"${signature}"}`)
    ),
    invalid('a list', 'SIGNATURE_INVALID', `[${entry}]`),
    invalid('the flattened serialization', 'SIGNATURE_INVALID', entry),
    invalid('the compact serialization', 'SIGNATURE_INVALID', `"${header}..${signature}"`),
    invalid('no signature', 'SIGNATURE_INVALID', list()),
    invalid('a payload', 'SIGNATURE_INVALID', `{"payload":"","signatures":[${entry}]}`),
    invalid(
      'an unprotected header',
      'SIGNATURE_INVALID',
      list(`{"header":{},"protected":"${header}","signature":"${signature}"}`)
    ),
    invalid('no protected header', 'SIGNATURE_INVALID', list(`{"signature":"${signature}"}`)),
    invalid(
      'a protected header that is no string',
      'SIGNATURE_INVALID',
      list(`{"protected":{},"signature":"${signature}"}`)
    ),
    invalid('an entry that is no object', 'SIGNATURE_INVALID', list(`"${signature}"`)),
    invalid(
      'a signature of 63 bytes',
      'SIGNATURE_INVALID',
      list(`{"protected":"${header}","signature":"${base64url(signer.sign(MESSAGE).subarray(1))}"}`)
    ),
    invalid(
      'a signature with padding',
      'SIGNATURE_INVALID',
      list(`{"protected":"${header}","signature":"${signature}=="}`)
    ),
    invalid(
      'a signature with unused bits that are not zero',
      'SIGNATURE_INVALID',
      list(`{"protected":"${header}","signature":"${signature.slice(0, -1)}B"}`)
    ),
    invalid(
      'a signature in base64 with + and /',
      'SIGNATURE_INVALID',
      list(`{"protected":"${header}","signature":"${'+/'.repeat(42)}AA"}`)
    )
  ]
}

export function invalidHeaders(): Vector[] {
  const invalid = (description: string, text: string): Vector => ({ description, typ: TYP, protected: base64url(text) })
  const good = headerText(KID, TYP)
  return [
    invalid('nothing', ''),
    invalid('no object', '[]'),
    invalid('another typ', headerText(KID, 'anchormesh.event.attestation.v1+jws')),
    invalid('no typ', `{"alg":"Ed25519","b64":false,"crit":["b64"],"kid":"${KID}"}`),
    invalid('alg EdDSA', good.replace('"Ed25519"', '"EdDSA"')),
    invalid('alg none', good.replace('"Ed25519"', '"none"')),
    invalid('b64 true', good.replace('false', 'true')),
    invalid('no b64 and no crit', `{"alg":"Ed25519","kid":"${KID}","typ":"${TYP}"}`),
    invalid('b64 that is not critical', good.replace('"crit":["b64"],', '')),
    invalid('a further member', good.replace('"typ"', '"nonce":"a","typ"')),
    invalid('a key in the header', good.replace('"kid"', '"jwk":{},"kid"')),
    invalid('members in another order', `{"kid":"${KID}","alg":"Ed25519","b64":false,"crit":["b64"],"typ":"${TYP}"}`),
    invalid('white space', good.replaceAll(',', ', ')),
    invalid('an escape', good.replace('"alg"', '"\\u0061lg"')),
    invalid('an empty kid', headerText('', TYP)),
    invalid('a kid that begins with a full stop', headerText('.a', TYP)),
    invalid('a kid with a slash', headerText('a/b', TYP)),
    invalid('a kid of 129 characters', headerText('a'.repeat(129), TYP)),
    { description: 'padding', typ: TYP, protected: `${base64url(good)}=` }
  ]
}
