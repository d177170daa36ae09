import { encodeCanonical } from '../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../protocols/canonical-json/v1/json.ts'
import type { NodeAnchoring } from './anchoring/node-anchoring.ts'
import { localEvent } from './events/local.ts'
import { loadBoundKeys } from './ingest/bound-keys.ts'
import type { EventLog } from './log/event-log.ts'
import type { Clock } from './platform/clock.ts'
import { AnchormeshError, messageOf } from './platform/errors.ts'
import { ofThisRequest } from './platform/request-scope.ts'
import { InTurn } from './platform/in-turn.ts'
import type { ConfigChange, ConfigReloaded } from './policy/config-change.ts'
import type { EffectivePolicy } from './policy/policy.ts'
import { viewPolicy } from './policy/policy-view.ts'
import type { ProjectionEngine } from './projections/engine.ts'
import type { NodeTransparency } from './transparency/node-transparency.ts'
import type { Attester } from './verification/attester.ts'
import type { NodeGateway } from './node-gateway.ts'
import type { NodeReload, NodeReloaded } from './live-settings.ts'
import type { NodeParts } from './node-parts.ts'

/** Parts that the running node itself has put together. */
export interface OwnParts {
  readonly anchoring: Pick<NodeAnchoring, 'settingsChanged'>
  readonly attester: Pick<Attester, 'policyChanged'>
  readonly transparency: Pick<NodeTransparency, 'settingsChanged'>
  readonly gateway: Pick<NodeGateway, 'settingsChanged'>
  readonly isClosing: () => boolean
}

/** Changes what a running node goes by: all of it, or nothing where any part of it can't be used. */
export class NodeReloading {
  readonly #parts: NodeParts
  readonly #own: OwnParts
  /** Two at once would leave the parts of one beside those of the other. */
  readonly #line = new InTurn()

  constructor(parts: NodeParts, own: OwnParts) {
    this.#parts = parts
    this.#own = own
  }

  /**
   * Throws `CONFIG_INVALID` for another identity and for addresses that can't be used, `STORE_FULL` where the policy
   * can't be logged, and `NODE_NOT_RUNNING` for a node that is stopping; then everything is as before.
   */
  async reload(next: NodeReload): Promise<NodeReloaded> {
    return await this.#line.run(() => this.#reload(next))
  }

  /**
   * Reads the configuration again and goes by it. Throws what reading it throws, `reload`, and `NODE_NOT_RUNNING` for a
   * node that has none to read.
   */
  async reloadConfig(): Promise<ConfigReloaded> {
    const { audit } = this.#parts
    const request = ofThisRequest()
    const { configuration, logger } = this.#parts.ports
    if (configuration === undefined)
      throw new AnchormeshError('NODE_NOT_RUNNING', 'this node has no configuration that it could read again', {
        hint: 'start it first: anchormesh start'
      })
    // Read in turn, too: what was read first must not come into force last.
    return await this.#line.run(async () => {
      const about = { action: 'CONFIG_RELOADED', actor: 'operator', subject: 'configuration', ...request } as const
      try {
        const next = await configuration.next()
        const { isNewPolicy } = await this.#reload(next.reload)
        next.commit()
        const { changes } = next
        const detail = { count: changes.length, changed: changesText(changes) }
        audit.record({ ...about, outcome: 'ok', code: null, detail })
        logger.info({ changes, isNewPolicy }, 'the configuration was reloaded')
        return { changes, isNewPolicy }
      } catch (error) {
        const code = error instanceof AnchormeshError ? error.code : 'INTERNAL'
        audit.record({ ...about, outcome: 'refused', code, detail: { reason: cut(messageOf(error)) } })
        logger.error(
          { code, reason: messageOf(error) },
          'the configuration was not reloaded; that of before is in force'
        )
        throw error
      }
    })
  }

  async #reload({ config, rails, network }: NodeReload): Promise<NodeReloaded> {
    if (this.#own.isClosing()) throw new AnchormeshError('NODE_NOT_RUNNING', 'the node is stopping')
    const { live, log, engine, keyring, door, ports } = this.#parts
    const before = live.policy()
    const { self } = config.policy
    const isOther =
      self.did !== before.self.did || self.orgId !== before.self.orgId || config.signer.did !== before.self.did
    if (isOther)
      throw new AnchormeshError('CONFIG_INVALID', 'node.did and node.orgId can not change while the node runs', {
        hint: 'stop the node, and start it with the other identity'
      })
    const isNewPolicy = !isSamePolicy(config.policy, before.policy)
    const view = isNewPolicy ? viewPolicy(config.policy) : before
    const { namespaces } = view
    const changeNetwork = ports.network?.prepare({ ...network, namespaces })
    // From here on only the log can refuse, and nothing has changed until it has taken the policy.
    if (isNewPolicy) {
      const logSeq = await enforcePolicy(log, config.policy, ports.clock)
      // The key that signs from now on may be bound by this very policy.
      await keysFolded(engine, logSeq)
      if (await loadBoundKeys(engine, keyring)) await door.keysBound()
    }
    live.replace(config, view, rails ?? { verifiers: live.verifiers(), anchorers: live.anchorers() })
    // Before anything more is sent to readers who may see less now.
    this.#own.gateway.settingsChanged()
    await changeNetwork?.()
    this.#tellParts(isNewPolicy, rails !== undefined)
    return { isNewPolicy }
  }

  #tellParts(isNewPolicy: boolean, hasNewRails: boolean): void {
    const { sync, bundles, verification } = this.#parts
    if (isNewPolicy) {
      sync?.policyChanged()
      bundles.policyChanged()
      this.#own.attester.policyChanged()
    }
    if (isNewPolicy || hasNewRails) verification.settingsChanged()
    this.#own.anchoring.settingsChanged()
    this.#own.transparency.settingsChanged()
  }
}

// A record of the audit log is to be read by a person; the log line has all of it.
const CHANGES_CHARACTERS_MAX = 2_000

const cut = (text: string): string => text.slice(0, CHANGES_CHARACTERS_MAX).toWellFormed()

function changesText(changes: readonly ConfigChange[]): string {
  const texts = changes.map(({ key, before, after }) => `${key}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`)
  return cut(texts.join('; '))
}

/** Takes the policy into the log, unless it is the last one there. Returns its position. */
export async function enforcePolicy(log: EventLog, policy: EffectivePolicy, clock: Clock): Promise<number> {
  const body = policy as unknown as JsonObject
  const last = await log.lastPolicy(log.head.logSeq)
  if (last !== undefined && encodeCanonical(last) === encodeCanonical(body)) return log.head.logSeq
  const [logged] = await log.append([{ scope: 'local', event: localEvent('policy', clock.now(), body) }])
  return logged?.record.logSeq ?? log.head.logSeq
}

/**
 * A fold of the packs that halted binds no further keys, but the node opens: or nobody could look at it and rebuild it.
 */
export async function keysFolded(engine: ProjectionEngine, logSeq: number): Promise<void> {
  try {
    await engine.reached(logSeq, null, 'trust-anchors')
  } catch (error) {
    if (!(error instanceof AnchormeshError) || error.code !== 'PROJECTION_HALTED') throw error
  }
}

function isSamePolicy(one: EffectivePolicy, other: EffectivePolicy): boolean {
  return encodeCanonical(one) === encodeCanonical(other)
}
