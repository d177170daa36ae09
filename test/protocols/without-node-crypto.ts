import { readFileSync } from 'node:fs'
import { join } from 'node:path'

// Run as a program by portable.test.ts: reads the valid events as a runtime without `node:crypto` would, and prints
// what came out.
Object.defineProperty(process, 'getBuiltinModule', { value: undefined })

const { nodeCrypto } = await import('../../protocols/primitives/node-crypto.ts')
const { decodeEvent, eventSigningInput } = await import('../../protocols/event/v1/codec.ts')
const { checkPublicKey, verifyEd25519 } = await import('../../protocols/signature/v1/ed25519.ts')
const { fromHex } = await import('../../protocols/primitives/bytes.ts')
const { sha256Hex } = await import('../../protocols/primitives/sha256.ts')

type Valid = {
  readonly id: string
  readonly wire: string
  readonly signatures: readonly { readonly publicKey: string }[]
}
const path = join(import.meta.dirname, '..', '..', 'protocols', 'event', 'v1', 'vectors', 'valid.json')
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: readonly Valid[] }

const events = vectors.map(({ id, wire, signatures }) => {
  const decoded = decodeEvent(bytesOf(wire))
  if (!decoded.ok) return { id, found: decoded.code, good: false }
  const { envelope, canonical } = decoded.event
  const good = decoded.event.signatures.every(({ kid, signature }, index) => {
    const check = checkPublicKey(bytesOf(signatures[index]?.publicKey ?? ''))
    return check.ok && verifyEd25519(check.key, eventSigningInput(envelope.type, kid, canonical), signature)
  })
  return { id, found: decoded.event.id, good }
})

console.log(JSON.stringify({ hasNodeCrypto: nodeCrypto !== undefined, sha256OfText: sha256Hex('é'), events }))

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array()
}
