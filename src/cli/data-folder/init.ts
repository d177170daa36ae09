import { lstat } from 'node:fs/promises'
import { basename } from 'node:path'
import { NAME_PATTERN } from '../../../protocols/event/v1/announce.ts'
import { DID_PATTERN, NAMESPACE_PATTERN, SIGNER_CHARS_MAX } from '../../../protocols/event/v1/envelope.ts'
import { fromBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import { didKeyOf } from '../../../protocols/signature/v1/did-key.ts'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import { ensureFolder, errnoOf, writeAtomically } from '../../platform/atomic-file.ts'
import { newKey, peerKeySeed, writeKeystore } from './keystore.ts'
import type { Keystore } from './keystore.ts'
import type { KeystoreSeal } from './keystore-seal.ts'
import { dataPaths } from './paths.ts'
import type { DataPaths } from './paths.ts'
import { peerIdOfSeed } from './peer-id.ts'
import { federationTemplate, peersTemplate } from './templates.ts'

export interface InitOptions {
  readonly folder: string
  /** The organisation that the node belongs to; by default a name made from its key. */
  readonly orgId?: string
  /** A DID of another method than `did:key`, which `peers.yaml` of the others then binds to the new key. */
  readonly did?: string
  readonly namespaces: readonly string[]
  readonly random: Random
  readonly clock: Clock
  /** Makes what the keystore at this path is sealed with; without it the file's permissions are its protection. */
  readonly seal?: (path: string) => Promise<KeystoreSeal>
}

export interface InitResult {
  readonly folder: string
  readonly did: string
  readonly orgId: string
  readonly kid: string
  readonly peerId: string
  /** Absolute paths of what was written. */
  readonly files: readonly string[]
}

/**
 * Makes a data folder: a new identity in `keystore.json` (0600), commented `federation.yaml` and `peers.yaml`, an empty
 * `tsa-roots/`. Throws `USAGE`, before anything is written, for a name of the wrong form and when any of these files
 * (or a log without its keystore) is there already: nothing is ever overwritten.
 */
export async function initDataFolder(options: InitOptions): Promise<InitResult> {
  checkNames(options)
  const paths = dataPaths(options.folder)
  await refuseExisting(paths)

  const createdAt = options.clock.now()
  const signing = newKey(['event', 'pack'], options.random, createdAt)
  const keystore: Keystore = {
    v: 2,
    keys: [signing, newKey(['peer'], options.random, createdAt)],
    ...(options.seal === undefined ? {} : { seal: await options.seal(paths.keystore) })
  }
  const publicKey = fromBase64url(signing.publicKey) ?? new Uint8Array()
  const did = options.did ?? didKeyOf(publicKey)
  const orgId = options.orgId ?? `org-${sha256Hex(publicKey).slice(0, 8)}`
  const facts = { did, orgId, namespaces: options.namespaces }

  await ensureFolder(paths.tsaRoots)
  try {
    // federation.yaml last: with it the folder is complete.
    await writeKeystore(paths.keystore, keystore, true)
    await writeAtomically(paths.peers, peersTemplate(), { mode: 0o644, exclusive: true })
    await writeAtomically(paths.federation, federationTemplate(facts), { mode: 0o644, exclusive: true })
  } catch (error) {
    // Another init was faster.
    if (errnoOf(error) === 'EEXIST') await refuseExisting(paths)
    throw error
  }
  const peerId = await peerIdOfSeed(peerKeySeed(keystore))
  const files = [paths.federation, paths.peers, paths.keystore, paths.tsaRoots]
  return { folder: paths.folder, did, orgId, kid: signing.kid, peerId, files }
}

function checkNames({ orgId, did, namespaces }: InitOptions): void {
  if (orgId !== undefined && !NAME_PATTERN.test(orgId)) {
    throw usage(`"${orgId}" is not an organisation id`, 'Letters, digits, . _ : # and -, at most 128: --org vaultmesh')
  }
  if (did?.startsWith('did:key:') === true) {
    throw usage('a did:key is made from the new key', 'Leave --did out to get one.')
  }
  if (did !== undefined && (did.length > SIGNER_CHARS_MAX || !DID_PATTERN.test(did))) {
    throw usage(`"${did}" is not a DID`, 'Such as --did did:web:example.org')
  }
  for (const namespace of namespaces) {
    if (!NAMESPACE_PATTERN.test(namespace)) {
      throw usage(
        `"${namespace}" is not a namespace`,
        'Lower-case letters, digits, . _ : and -: --namespace dao:vaultmesh'
      )
    }
  }
  if (new Set(namespaces).size < namespaces.length) {
    throw usage('a namespace is named twice', 'Name each namespace once.')
  }
}

async function refuseExisting(paths: DataPaths): Promise<void> {
  const found: string[] = []
  for (const path of [paths.federation, paths.peers, paths.keystore, paths.store, paths.storeState]) {
    const there = await lstat(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return null
      throw error
    })
    if (there !== null) found.push(path)
  }
  if (found.length > 0) throw existing(found)
}

function existing(found: readonly string[]): AnchormeshError {
  const names = found.map((path) => basename(path)).join(', ')
  return new AnchormeshError('USAGE', `${names} already there: init never overwrites`, {
    hint: 'Choose another folder with --data, or start the node that is there: anchormesh start',
    detail: { existing: found }
  })
}

function usage(message: string, hint: string): AnchormeshError {
  return new AnchormeshError('USAGE', message, { hint })
}
