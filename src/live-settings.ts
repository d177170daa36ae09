import type { Anchorer } from './anchoring/anchorer.ts'
import type { Retention } from './audit/retention.ts'
import type { KeySchedule } from './authoring/key-watch.ts'
import type { NetworkUpdate } from './network/network.ts'
import type { CertificatePins } from './policy/certificate-pins.ts'
import type { ConfigChange } from './policy/config-change.ts'
import type { SealingConfig } from './policy/config-schema.ts'
import type { EffectivePolicy } from './policy/policy.ts'
import type { PolicyView } from './policy/policy-view.ts'
import { viewPolicy } from './policy/policy-view.ts'
import type { TimestampVerifier } from './timestamps/verifier.ts'
import type { Signer } from './trust/signer.ts'

/** Who the node is and what it may do. */
export interface NodeConfig {
  readonly policy: EffectivePolicy
  readonly signer: Signer
  /** The release, for `status`. */
  readonly version: string
  /** How far ahead an event's `ts` may be, in milliseconds; default two minutes. */
  readonly futureSkewMs?: number
  /** How far the `ts` of a request may be from the clock, in milliseconds; default five minutes. */
  readonly requestSkewMs?: number
  /** Time between two sync sessions with a peer that find no difference, in milliseconds; default a minute. */
  readonly syncIntervalMs?: number
  /** Time between two checkpoints of the log, in milliseconds; default: none is published. */
  readonly checkpointMs?: number
  /** What is sealed by schedule, by namespace; default nothing. */
  readonly sealing?: Readonly<Record<string, SealingConfig>>
  /** When keys are to be rotated, and what is told ahead of an end; default: nothing is. */
  readonly keys?: KeySchedule
  /** Where packs can be had beside the mesh, by organisation; default nowhere. */
  readonly packSources?: Readonly<Record<string, readonly string[]>>
  /** Whom client certificates belong to; default nobody. */
  readonly certificatePins?: CertificatePins
  /** How long audit records are kept, and how many at most; default a year, a million. */
  readonly audit?: Retention
}

/** Who checks timestamp anchors, and who makes them. */
export interface NodeRails {
  readonly verifiers: readonly TimestampVerifier[]
  readonly anchorers: readonly Anchorer[]
}

/** Another configuration for a node that runs. */
export interface NodeReload {
  /** Of the same DID and organisation. */
  readonly config: NodeConfig
  /** Those of before, if absent. */
  readonly rails?: NodeRails
  /** Whom the mesh knows; as before, if absent. Its namespaces are those of the policy. */
  readonly network?: Partial<Omit<NetworkUpdate, 'namespaces'>>
}

/** A configuration that was read and checked, and is not in force yet. */
export interface NextConfiguration {
  readonly reload: NodeReload
  readonly changes: readonly ConfigChange[]
  /** It is in force now. */
  commit(): void
}

/** Reads the configuration again, from wherever it stands. */
export interface ConfigurationSource {
  /** Throws `CONFIG_INVALID` with every problem, and keystore codes. */
  next(): Promise<NextConfiguration>
}

/** What a reload came to. */
export interface NodeReloaded {
  /** Whether another policy is in force now; then its event is in the log. */
  readonly isNewPolicy: boolean
}

/**
 * What may change while the node runs: all of it changes in one step, between two looks. Parts ask when they need to
 * know, and keep nothing for longer than the work in hand.
 */
export class LiveSettings {
  #config: NodeConfig
  #view: PolicyView
  #rails: NodeRails
  #generation = 0

  constructor(config: NodeConfig, rails: NodeRails) {
    this.#config = config
    this.#view = viewPolicy(config.policy)
    this.#rails = rails
  }

  readonly config = (): NodeConfig => this.#config
  readonly policy = (): PolicyView => this.#view
  readonly signer = (): Signer => this.#config.signer
  readonly verifiers = (): NodeRails['verifiers'] => this.#rails.verifiers
  readonly anchorers = (): NodeRails['anchorers'] => this.#rails.anchorers
  /** Grows with each change. */
  readonly generation = (): number => this.#generation

  /** Puts these in the place of those before. A view that is the same stays the same object. */
  replace(config: NodeConfig, view: PolicyView, rails: NodeRails): void {
    this.#config = config
    this.#view = view
    this.#rails = rails
    this.#generation += 1
  }
}
