import { resolve } from 'node:path'
import { kidOfDidKey, publicKeyOfDidKey } from '../../../protocols/signature/v1/did-key.ts'
import type { Clock } from '../../platform/clock.ts'
import { systemClock } from '../../platform/clock.ts'
import type { FederationConfig } from '../../policy/config-schema.ts'
import { SocketSigner } from '../../signers/socket-signer.ts'
import type { Signer } from '../../trust/signer.ts'
import { externalEntry, signerFrom, signingEntry } from './keystore.ts'
import type { OpenedKeystore, PublicKeystoreEntry } from './keystore.ts'

/** A signer of this machine: what it needs to be ready is done by `watch`, until the signal aborts. */
export interface NodeSigner extends Signer {
  watch(signal: AbortSignal): Promise<void>
}

type NodeSettings = Pick<FederationConfig['node'], 'did' | 'signer'>

/**
 * What signs for the node: the process at `node.signer`, or the keystore, which is unlocked when something is to be
 * signed. Throws `KEYSTORE_CORRUPT` when no key for events is known.
 */
export function nodeSigner(
  { did, signer }: NodeSettings,
  keystore: OpenedKeystore,
  folder: string,
  clock: Clock = systemClock
): NodeSigner {
  if (signer === undefined) return keystoreSigner(did, keystore)
  const { kid, publicKey } = externalEntry(keystore.known) ?? keyOfDid(did) ?? signingEntry(keystore.known)
  const path = resolve(folder, signer.slice('unix:'.length))
  return new SocketSigner({ path, did, kid, publicKey: bytesOf(publicKey), clock })
}

/**
 * The signers for keys of the process at `node.signer`, beside the one that signs events; `null` where there is no such
 * process. They connect for each signature: packs are rare.
 */
export function externalSigners(
  { did, signer }: NodeSettings,
  folder: string,
  clock: Clock
): ((key: PublicKeystoreEntry) => Signer) | null {
  if (signer === undefined) return null
  const path = resolve(folder, signer.slice('unix:'.length))
  return ({ kid, publicKey }) => ({
    did,
    kid,
    publicKey: bytesOf(publicKey),
    sign: async (message) => {
      const once = new SocketSigner({ path, did, kid, publicKey: bytesOf(publicKey), clock })
      try {
        return await once.sign(message)
      } finally {
        await once.close()
      }
    }
  })
}

/** A signer that opens the keystore for its first signature. */
function keystoreSigner(did: string, keystore: OpenedKeystore): NodeSigner {
  const { kid, publicKey } = signingEntry(keystore.known)
  let unlocked: Promise<Signer> | null = null
  return {
    did,
    kid,
    publicKey: bytesOf(publicKey),
    sign: async (message) => {
      unlocked ??= keystore.unlock().then(
        (whole) => signerFrom(whole, did),
        (error: unknown) => {
          unlocked = null
          throw error
        }
      )
      return await (await unlocked).sign(message)
    },
    watch: () => Promise.resolve()
  }
}

function keyOfDid(did: string): Pick<PublicKeystoreEntry, 'kid' | 'publicKey'> | null {
  const [kid, key] = [kidOfDidKey(did), publicKeyOfDidKey(did)]
  return kid === null || key === null ? null : { kid, publicKey: Buffer.from(key).toString('base64url') }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}
