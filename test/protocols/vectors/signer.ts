import { hex, keyOf } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const key = keyOf('signer/v1')
const base64url = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')

/** The vectors of signer/v1, put together as the SPEC says, without the codec. */
export function signerVectors(): readonly VectorFile[] {
  const base = 'signer/v1/vectors'
  return [
    {
      path: `${base}/frames.json`,
      description:
        'Messages (`message`, JSON; `from` node or signer) and their frames (hex). The signature is that of the key whose seed (hex) is given, over the bytes that the request before it names.',
      vectors: frames()
    },
    {
      path: `${base}/frames-invalid.json`,
      description:
        'Frames (hex) that end the connection of the side that reads them (`reader`), with rule and, where the signer answers, code.',
      vectors: invalid()
    }
  ]
}

function frameOf(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function frames(): readonly Vector[] {
  const message = Buffer.from('a message to sign')
  const publicKey = base64url(key.publicKey)
  const said = (from: 'node' | 'signer', description: string, value: object, more: object = {}): Vector => ({
    description,
    from,
    message: value,
    frame: hex(frameOf(JSON.stringify(value))),
    ...more
  })
  return [
    said('node', 'hello of a node', { v: 1, type: 'hello' }),
    said('signer', 'hello of a signer', {
      v: 1,
      type: 'hello',
      keys: [{ did: 'did:web:a.example', kid: 'k-1', publicKey }]
    }),
    said('signer', 'hello of a signer that knows no DID', { v: 1, type: 'hello', keys: [{ kid: 'k-1', publicKey }] }),
    said('node', 'a request', { type: 'sign', id: 1, kid: 'k-1', message: base64url(message) }),
    said(
      'signer',
      'its signature',
      { type: 'signature', id: 1, signature: base64url(key.sign(message)) },
      { seed: hex(key.seed) }
    ),
    said('node', 'a request to sign nothing', { type: 'sign', id: 2, kid: 'k-1', message: '' }),
    said('signer', 'an error', { type: 'error', id: 3, code: 'kid-unknown', detail: 'there is no key k-2 here' }),
    said('signer', 'an error of no request', {
      type: 'error',
      id: null,
      code: 'bad-request',
      detail: 'that is no JSON'
    })
  ]
}

function invalid(): readonly Vector[] {
  const bad = (reader: 'node' | 'signer', rule: string, description: string, frame: Uint8Array): Vector => ({
    description,
    reader,
    rule,
    ...(reader === 'signer' && rule === 'SGN-2' ? { code: 'bad-request' } : {}),
    frame: hex(frame)
  })
  const json = (value: object): Buffer => frameOf(JSON.stringify(value))
  return [
    bad('signer', 'SGN-1', 'an empty frame', Buffer.alloc(4)),
    bad('signer', 'SGN-1', 'a frame of one byte more than the bound', Buffer.from('00200001', 'hex')),
    bad('node', 'SGN-1', 'a frame of 4 GiB', Buffer.from('ffffffff', 'hex')),
    bad('signer', 'SGN-2', 'no JSON', frameOf('hello')),
    bad('signer', 'SGN-2', 'no UTF-8', frameOf(Buffer.from('7b22c3227d', 'hex'))),
    bad('signer', 'SGN-2', 'another version', json({ v: 2, type: 'hello' })),
    bad('signer', 'SGN-2', 'a member more', json({ v: 1, type: 'hello', more: 1 })),
    bad('signer', 'SGN-2', 'an id of zero', json({ type: 'sign', id: 0, kid: 'k-1', message: '' })),
    bad('signer', 'SGN-2', 'a message with padding', json({ type: 'sign', id: 1, kid: 'k-1', message: 'YQ==' })),
    bad(
      'signer',
      'SGN-2',
      'what only a signer says',
      json({ type: 'signature', id: 1, signature: base64url(Buffer.alloc(64)) })
    ),
    bad(
      'node',
      'SGN-2',
      'a signature of 63 bytes',
      json({ type: 'signature', id: 1, signature: base64url(Buffer.alloc(63)) })
    ),
    bad('node', 'SGN-2', 'an unknown code', json({ type: 'error', id: 1, code: 'other', detail: '' })),
    bad(
      'node',
      'SGN-2',
      'a public key of 31 bytes',
      json({ v: 1, type: 'hello', keys: [{ kid: 'k-1', publicKey: base64url(Buffer.alloc(31)) }] })
    )
  ]
}
