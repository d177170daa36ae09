import { resolve } from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { offeredKeys } from '../../signers/socket-signer.ts'
import { openKeystore, writeKeystore } from './keystore.ts'
import type { Keystore, KeystoreEntry, PublicKeystoreEntry } from './keystore.ts'
import { publicPart } from './keystore-seal.ts'
import type { ConfigSources } from './load-config.ts'
import { readFederation } from './load-config.ts'
import { dataPaths } from './paths.ts'

export interface AdoptedKeys {
  /** Where the signer was asked. */
  readonly socket: string
  /** Kids of the keys that only the signer holds, as far as this node knows. */
  readonly adopted: readonly string[]
  /** Kids that the signer holds and whose private keys stand in `keystore.json`, too. */
  readonly kept: readonly string[]
  /** Kids of the private keys that were taken out of `keystore.json`. */
  readonly removed: readonly string[]
}

/**
 * Writes the keys that the process of `node.signer` offers for this node into `keystore.json`. With `removePrivate` the
 * private keys that it holds are taken out. Throws `USAGE` without `node.signer` or for a kid that is another key here,
 * `SIGNER_UNAVAILABLE`, and as `loadConfig` does.
 */
export async function adoptSigner(sources: ConfigSources, clock: Clock, removePrivate: boolean): Promise<AdoptedKeys> {
  const { did, signer } = (await readFederation(sources)).node
  if (signer === undefined) {
    throw new AnchormeshError('USAGE', 'federation.yaml names no node.signer', {
      hint: 'Add `signer: unix:PATH` under `node`.'
    })
  }
  const paths = dataPaths(sources.folder)
  const socket = resolve(paths.folder, signer.slice('unix:'.length))
  const offered = await offeredKeys(socket, clock)
  const keystore = await (await openKeystore(paths.keystore, sources.passphrases)).unlock()
  const external: PublicKeystoreEntry[] = []
  const moved = new Set<KeystoreEntry>()
  const kept: string[] = []
  for (const { kid, publicKey, did: spokenFor } of offered) {
    if (spokenFor !== undefined && spokenFor !== did) continue
    const here = keystore.keys.find((entry) => entry.kid === kid)
    const known = here ?? keystore.external?.find((entry) => entry.kid === kid)
    if (known !== undefined && known.publicKey !== publicKey) {
      throw new AnchormeshError('USAGE', `the signer has another key named ${kid} than keystore.json`, {
        hint: 'Give one of them another kid.'
      })
    }
    if (here !== undefined && !removePrivate) {
      kept.push(kid)
      continue
    }
    if (here !== undefined) moved.add(here)
    external.push(publicPart(known ?? { kid, purpose: ['event', 'pack'], publicKey, createdAt: clock.now() }))
  }
  const next: Keystore = { ...keystore, keys: keystore.keys.filter((entry) => !moved.has(entry)), external }
  await writeKeystore(paths.keystore, withoutLostSigning(next), false)
  return { socket, adopted: external.map(({ kid }) => kid), kept, removed: [...moved].map(({ kid }) => kid) }
}

/** What the pointer named may be held by nobody now. */
function withoutLostSigning(keystore: Keystore): Keystore {
  const { signing, ...rest } = keystore
  const isHeld = [...keystore.keys, ...(keystore.external ?? [])].some(({ kid }) => kid === signing)
  return isHeld ? keystore : rest
}
