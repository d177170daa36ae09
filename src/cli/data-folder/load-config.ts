import { open } from 'node:fs/promises'
import { didKeyOf } from '../../../protocols/signature/v1/did-key.ts'
import type { TlsIdentity } from '../../http/tls.ts'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import { certificatePinProblems } from '../../policy/certificate-pins.ts'
import { federationSchema, peersSchema } from '../../policy/config-schema.ts'
import type { FederationConfig, PeersConfig } from '../../policy/config-schema.ts'
import { environmentOverrides } from '../../policy/environment.ts'
import { effectivePolicy } from '../../policy/policy.ts'
import type { EffectivePolicy, PolicyProblem } from '../../policy/policy.ts'
import { CONFIG_CHARS_MAX } from '../../policy/yaml-reader.ts'
import { parseConfig, problemText } from '../../policy/yaml.ts'
import type { ConfigOverride, ConfigProblem } from '../../policy/yaml.ts'
import type { DatedCertificate } from '../../trust/key-warnings.ts'
import { errnoOf } from '../../platform/atomic-file.ts'
import { readPayingAccounts } from './account-keys.ts'
import type { PayingAccounts } from './account-keys.ts'
import { formerKeys, openKeystore, peerEntry, peerKeySeed, signingKeys } from './keystore.ts'
import type { OpenedKeystore, PublicKeystore } from './keystore.ts'
import type { PassphraseSource } from './keystore-seal.ts'
import { listenerProblems } from './listener-problems.ts'
import { meshProblems } from './mesh-checks.ts'
import { namedFileProblems } from './named-files.ts'
import { dataPaths } from './paths.ts'
import { certificateEnds } from './certificate-ends.ts'
import { nodeSigner } from './node-signer.ts'
import type { NodeSigner } from './node-signer.ts'
import { peerIdOfPublicKey } from './peer-id.ts'
import { readTsaCertificates } from './tsa-certificates.ts'
import { readTlsIdentity } from './tls-files.ts'
import { sourcedSettings } from './sourced-settings.ts'
import type { SourcedSetting } from './sourced-settings.ts'
import { settingsWithoutEffect } from './without-effect.ts'

/** Where a node's configuration comes from, and what goes before the files. */
export interface ConfigSources {
  readonly folder: string
  /** `--config`: another file in the place of the folder's `federation.yaml`. */
  readonly configFile?: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Values of flags; they go before the environment. */
  readonly flags?: readonly ConfigOverride[]
  /** How to learn the passphrase of a sealed keystore, when a secret of it is needed. */
  readonly passphrases?: PassphraseSource
}

/** A node's whole configuration, checked. */
export interface LoadedConfig {
  readonly folder: string
  /** Where it was read from. */
  readonly sources: ConfigSources
  readonly federation: FederationConfig
  readonly peers: PeersConfig
  readonly policy: EffectivePolicy
  /** Opens a sealed keystore, or asks the process of `node.signer`, when something is to be signed. */
  readonly signer: NodeSigner
  /** The keys that this node signs events and packs with, newest last; base64url. */
  readonly signingKeys: readonly { readonly kid: string; readonly publicKey: string; readonly createdAt: number }[]
  readonly keystore: OpenedKeystore
  /** The 32-byte seed of the PeerId's key. Throws as `unlock` of the keystore does. */
  peerKeySeed(): Promise<Uint8Array>
  readonly peerId: string
  /** Each setting of both files, with where its value comes from. */
  readonly settings: readonly SourcedSetting[]
  /** When the certificates that the configuration names end. */
  readonly certificates: readonly DatedCertificate[]
  /** What the listeners show of themselves (`http.tls`); `null` where they speak plain HTTP. */
  readonly tls: TlsIdentity | null
  /** Who pays for timestamp anchors on EVM chains. */
  readonly payingAccounts: PayingAccounts
  /** What is set, and right, and does nothing with the rest as it is. */
  readonly withoutEffect: readonly ConfigProblem[]
}

/** A problem with its stable code. */
export type CodedProblem = Omit<ConfigProblem, 'code'> & { readonly code: string }

/** The text of both files, with the names to show in problems. */
export interface ConfigTexts {
  readonly federation: ConfigText
  readonly peers: ConfigText
}

export interface ConfigText {
  readonly file: string
  readonly text: string
}

/**
 * Reads and checks the whole configuration of a data folder. Throws `CONFIG_INVALID` with every problem, one a line,
 * each as `file:line:column key: message`; `KEYSTORE_PERMISSIONS`, `KEYSTORE_CORRUPT`.
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const texts = await readConfigTexts(sources)
  return checkConfig(texts, await openKeystore(dataPaths(sources.folder).keystore, sources.passphrases), sources)
}

/** Reads both files. Throws `CONFIG_INVALID` when one is missing or can't be a configuration file. */
export async function readConfigTexts({ folder, configFile }: ConfigSources): Promise<ConfigTexts> {
  const paths = dataPaths(folder)
  return {
    federation: await readConfigText(configFile ?? paths.federation, MISSING_FOLDER),
    peers: await readConfigText(paths.peers, configFile === undefined ? MISSING_PEERS : MISSING_FOLDER)
  }
}

/**
 * What is wrong with either file, a variable or the keystore by itself: a start ends at the first of these, but who mends
 * them wants to see them all.
 */
export async function problemsOfEach({
  folder,
  configFile,
  environment,
  flags = []
}: ConfigSources): Promise<readonly CodedProblem[]> {
  const paths = dataPaths(folder)
  const { overrides, problems } = environmentOverrides(environment)
  const all = [...overrides, ...flags]
  const checks = [
    async () => {
      const { file, text } = await readConfigText(configFile ?? paths.federation, MISSING_FOLDER)
      return parseConfig(text, file, federationSchema, all)
    },
    async () => {
      const { file, text } = await readConfigText(paths.peers, MISSING_PEERS)
      return parseConfig(text, file, peersSchema)
    },
    async () => {
      await openKeystore(paths.keystore)
      return { ok: true } as const
    }
  ]
  const found: CodedProblem[] = problems.map(coded)
  for (const check of checks) {
    try {
      const checked = await check()
      if (!checked.ok) found.push(...checked.problems.map(coded))
    } catch (error) {
      found.push(...problemsIn(error, paths.keystore))
    }
  }
  return found
}

/** The problems that a failure lists; one without a place, in `file`, where it lists none. Throws what is a defect. */
export function problemsIn(error: unknown, file: string): readonly CodedProblem[] {
  if (!(error instanceof AnchormeshError)) throw error
  const { problems } = (error.detail ?? {}) as { readonly problems?: readonly ConfigProblem[] }
  return problems?.map(coded) ?? [{ file, line: null, column: null, key: '', message: error.message, code: error.code }]
}

const coded = (problem: ConfigProblem): CodedProblem => ({ ...problem, code: problem.code ?? 'CONFIG_INVALID' })

/**
 * What `federation.yaml` says, variables and flags before it as in a start, and not held against the other files. Throws
 * `CONFIG_INVALID`.
 */
export async function readFederation(sources: ConfigSources): Promise<FederationConfig> {
  const { federation } = await readConfigTexts(sources)
  const variables = environmentOverrides(sources.environment)
  const overrides = [...variables.overrides, ...(sources.flags ?? [])]
  const parsed = parseConfig(federation.text, federation.file, federationSchema, overrides)
  const problems = [...variables.problems, ...(parsed.ok ? [] : parsed.problems)]
  if (!parsed.ok || problems.length > 0) throw configInvalid(problems)
  return parsed.value
}

/** Checks the texts together with the keystore, as `loadConfig` does with those on disk. */
export async function checkConfig(
  texts: ConfigTexts,
  keystore: OpenedKeystore,
  sources: ConfigSources
): Promise<LoadedConfig> {
  const { folder, environment, flags = [] } = sources
  const variables = environmentOverrides(environment)
  const overrides = [...variables.overrides, ...flags]
  const federation = parseConfig(texts.federation.text, texts.federation.file, federationSchema, overrides)
  const peers = parseConfig(texts.peers.text, texts.peers.file, peersSchema)
  const problems: ConfigProblem[] = [...variables.problems]
  if (!federation.ok) problems.push(...federation.problems)
  if (!peers.ok) problems.push(...peers.problems)
  if (!federation.ok || !peers.ok || problems.length > 0) throw configInvalid(problems)

  const { node } = federation.value
  const signer = nodeSigner(node, keystore, folder)
  const peerId = peerIdOfPublicKey(bytesOf(peerEntry(keystore.known).publicKey))
  const tsas = await readTsaCertificates(federation.value, dataPaths(folder).tsaRoots)
  const tls = await readTlsIdentity(federation.value, dataPaths(folder).folder)
  const paying = await readPayingAccounts(federation.value, dataPaths(folder).folder)
  const self = {
    did: node.did,
    orgId: node.orgId,
    kid: signer.kid,
    publicKey: signer.publicKey,
    formerKeys: formerKeys(keystore.known, signer)
  }
  const effective = effectivePolicy(federation.value, peers.value, self, tsas.certificates)
  const found: readonly PolicyProblem[] = [
    ...(node.signer === undefined ? didProblems(node.did, keystore.known) : []),
    ...meshProblems(federation.value, peers.value, peerId),
    ...listenerProblems(federation.value),
    ...certificatePinProblems(peers.value),
    ...tls.problems,
    ...tsas.problems,
    ...paying.problems,
    ...(await namedFileProblems(federation.value, dataPaths(folder).folder)),
    ...(effective.ok ? [] : effective.problems)
  ]
  for (const { file, path, message, code } of found) {
    const problem = (file === 'peers.yaml' ? peers : federation).problemAt(path, message)
    problems.push(code === undefined ? problem : { ...problem, code })
  }
  if (!effective.ok || problems.length > 0) throw configInvalid(problems)
  return {
    folder: dataPaths(folder).folder,
    sources,
    federation: federation.value,
    peers: peers.value,
    policy: effective.policy,
    signer,
    signingKeys: signingKeys(keystore.known),
    keystore,
    peerKeySeed: async () => peerKeySeed(await keystore.unlock()),
    peerId,
    settings: sourcedSettings({ federation, peers }, overrides),
    certificates: await certificateEnds(federation.value, tsas.certificates, dataPaths(folder).folder),
    tls: tls.identity,
    payingAccounts: paying.accounts,
    withoutEffect: settingsWithoutEffect(peers, tls.identity !== null)
  }
}

/** The failure that lists `problems`, one a line. */
export function configInvalid(problems: readonly ConfigProblem[]): AnchormeshError {
  return new AnchormeshError('CONFIG_INVALID', problems.map(problemText).join('\n'), {
    hint: 'Each line names the file, line, column and key to look at; config/ of the project documents every key.',
    detail: { problems }
  })
}

/** A did:key that none of the keystore's keys is could sign nothing that others would take. */
function didProblems(did: string, keystore: PublicKeystore): PolicyProblem[] {
  const own = signingKeys(keystore).map(({ publicKey }) => didKeyOf(bytesOf(publicKey)))
  if (!did.startsWith('did:key:') || own.includes(did)) return []
  const message = `is the did:key of no key in keystore.json (that would be ${own.join(' or ')})`
  return [{ file: 'federation.yaml', path: ['node', 'did'], message }]
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

const MISSING_FOLDER = 'anchormesh init makes a data folder; --data or ANCHORMESH_DATA names another one.'
const MISSING_PEERS = 'Restore it, or write a new one of two lines, `v: 1` and `peers: []`, and add the peers again.'

async function readConfigText(path: string, hintIfMissing: string): Promise<ConfigText> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    const isMissing = errnoOf(cause) === 'ENOENT'
    const message = isMissing ? 'is missing' : `can't be opened: ${messageOf(cause)}`
    const code = isMissing ? 'FILE_MISSING' : 'FILE_INVALID'
    throw new AnchormeshError('CONFIG_INVALID', `${path} ${message}`, {
      hint: hintIfMissing,
      detail: { problems: [{ file: path, line: null, column: null, key: '', message, code }] },
      cause
    })
  })
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > CONFIG_CHARS_MAX) {
      const message = `is not a file of at most ${CONFIG_CHARS_MAX} bytes`
      throw new AnchormeshError('CONFIG_INVALID', `${path} ${message}`, {
        hint: 'Look whether the path names the file that you mean.',
        detail: { problems: [{ file: path, line: null, column: null, key: '', message, code: 'FILE_INVALID' }] }
      })
    }
    return { file: path, text: await file.readFile('utf8') }
  } finally {
    await file.close()
  }
}
