import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { ConfigurationSource, NextConfiguration } from '../live-settings.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { LevelLogger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { changesBetween, isBelow } from '../policy/config-change.ts'
import { problemText } from '../policy/yaml.ts'
import type { ConfigProblem } from '../policy/yaml.ts'
import { configInvalid, loadConfig } from './data-folder/load-config.ts'
import type { ConfigSources, LoadedConfig } from './data-folder/load-config.ts'
import type { LiveTransport } from './live-transport.ts'
import { knownPeersOf, nodeConfigOf } from './data-folder/node-config.ts'
import { configuredRails } from './data-folder/rails.ts'

/**
 * What a running node was built with and can not change: listeners and their protection, where the store and the audit
 * trail go, what was told to libp2p when it was made. A change of these is named, and waits for the next start; all
 * other settings take effect with a reload.
 */
export const RESTART_KEYS = [
  'node.listen',
  'node.announce',
  'node.mdns',
  'node.signer',
  'http.listen',
  'http.mtls',
  'http.corsOrigins',
  'http.connectionsMax',
  'admin',
  'store',
  'audit'
] as const

/** Who the node is: another identity is another node, so a file that says so is refused as a whole. */
const IDENTITY_KEYS = ['node.did', 'node.orgId'] as const

export interface LiveConfigPorts {
  readonly clock: Clock
  readonly random: Random
  /** Its level follows `log.level`, unless that is fixed. */
  readonly logger: LevelLogger
  readonly isLevelFixed: boolean
  /** Gets the certificate of the listeners with each reload. */
  readonly transport?: LiveTransport
}

/** The configuration of a node that runs: the files and environment that it was started with, read again when asked. */
export class LiveConfig implements ConfigurationSource {
  readonly #sources: ConfigSources
  readonly #ports: LiveConfigPorts
  /** The settings that are in force: after a reload, some of them still those of the start. */
  #inForce: ReadonlyMap<string, JsonValue>
  #config: LoadedConfig

  constructor(config: LoadedConfig, sources: ConfigSources, ports: LiveConfigPorts) {
    this.#config = config
    this.#sources = sources
    this.#ports = ports
    this.#inForce = settingsIn(config)
  }

  /** See `ConfigurationSource`. Everything that the configuration names is built here, or nothing is. */
  async next(): Promise<NextConfiguration> {
    const { clock, random, logger, isLevelFixed } = this.#ports
    const config = await loadConfig(this.#sources)
    const after = settingsIn(config)
    this.#refuseIdentity(config, after)
    // A keystore that this process can't open is none to go on with: it would sign nothing from now on.
    await config.keystore.unlock()
    const needsRestart = restartRule(this.#inForce, after)
    const changes = changesBetween(this.#inForce, after, needsRestart)
    const { federation } = config
    const isSame = changes.every(({ key }) => !isBelow(key, 'rails') && !isBelow(key, 'certificates'))
    const rails = isSame ? {} : { rails: configuredRails(config, { clock, random }) }
    const network = { knownPeers: knownPeersOf(config), bootstrap: federation.node.bootstrap }
    return {
      reload: { config: nodeConfigOf(config), network, ...rails },
      changes,
      commit: () => {
        const kept = [...this.#inForce].filter(([key]) => needsRestart(key))
        this.#inForce = new Map([...[...after].filter(([key]) => !needsRestart(key)), ...kept])
        this.#config = config
        this.#ports.transport?.replace(config.tls)
        if (!isLevelFixed) logger.setLevel(federation.log.level)
        for (const setting of config.withoutEffect) {
          const { file, line, key } = setting
          logger.warn({ file, line, key }, problemText(setting))
        }
      }
    }
  }

  #refuseIdentity(config: LoadedConfig, after: ReadonlyMap<string, JsonValue>): void {
    const problems = IDENTITY_KEYS.flatMap((key): ConfigProblem[] => {
      const before = this.#inForce.get(key)
      if (after.get(key) === before) return []
      const place = config.settings.find((setting) => setting.key === key)?.place ?? null
      const [, file = 'environment', line, column] = /^(.*):([0-9]+):([0-9]+)$/.exec(place ?? '') ?? []
      const at = {
        line: line === undefined ? null : Number(line),
        column: column === undefined ? null : Number(column)
      }
      return [{ file, ...at, key, message: `is another node's: this one runs as ${JSON.stringify(before)}` }]
    })
    if (problems.length > 0) throw configInvalid(problems)
    if (config.peerId !== this.#config.peerId)
      throw new AnchormeshError('CONFIG_INVALID', `keystore.json has another PeerId's key: ${config.peerId}`, {
        hint: `This node runs as ${this.#config.peerId}. Put the key back, or start the node again.`
      })
  }
}

/** Another certificate is shown at once; whether there is one at all is decided at the start. */
function restartRule(
  before: ReadonlyMap<string, JsonValue>,
  after: ReadonlyMap<string, JsonValue>
): (key: string) => boolean {
  const isSwitched = before.has(TLS_CONTENTS) !== after.has(TLS_CONTENTS)
  const sections = isSwitched ? [...RESTART_KEYS, 'http.tls'] : RESTART_KEYS
  return (key) => sections.some((section) => isBelow(key, section))
}

const TLS_CONTENTS = 'http.tls.contents'

/** All that a configuration says, and what the files that it names hold. */
function settingsIn({ settings, signer, policy, tls, payingAccounts }: LoadedConfig): ReadonlyMap<string, JsonValue> {
  const certificates = Object.entries(policy.rails.rfc3161).map(
    ([tsa, { roots, certificates: others }]) =>
      [`certificates.${tsa}`, sha256Hex(encodeCanonical([roots, others])).slice(0, 16)] as const
  )
  // The key itself is a secret.
  const accounts = [...payingAccounts].map(
    ([chain, { address }]) => [`rails.eip155.${chain}.account.address`, address] as const
  )
  return new Map<string, JsonValue>([
    ...settings.map(({ key, value }) => [key, value] as const),
    ...certificates,
    ...accounts,
    ...(tls === null ? [] : [[TLS_CONTENTS, sha256Hex(tls.cert).slice(0, 16)] as const]),
    ['signingKey', signer.kid]
  ])
}
