import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { storedPacks } from '../projections/packs.ts'
import { keyWarnings } from '../trust/key-warnings.ts'
import type { DatedCertificate, KeyWarning, NewestPack, OwnKey } from '../trust/key-warnings.ts'

// Ends are told days ahead, and a drift within the hour in which its pack came.
const LOOK_EVERY_MS = 3_600_000
// What a person reads at once; those that are left out come into sight as others are seen to. It bounds what is
// remembered as told, too.
const WARNINGS_MAX = 50

/** The rotation schedule of a node, and the documents that its warnings are made of. */
export interface KeySchedule {
  readonly rotateEveryMs: number
  readonly warnBeforeMs: number
  /** The keys of this node, as its keystore knows them. */
  readonly ownKeys: readonly Omit<OwnKey, 'signs'>[]
  readonly certificates: readonly DatedCertificate[]
}

export interface KeyWatchPorts {
  readonly engine: ProjectionEngine
  readonly policy: () => PolicyView
  /** The kid of the key that events are signed with now. */
  readonly signing: () => string
  readonly schedule: () => KeySchedule
  readonly clock: Clock
  readonly logger: Logger
}

/** Tells the operator ahead of the end of keys, packs and certificates, and of drift between documents and packs. */
export class KeyWatch {
  readonly #ports: KeyWatchPorts
  /** What was told, and holds still. */
  #told = new Set<string>()
  #cancelLook: (() => void) | null = null

  constructor(ports: KeyWatchPorts) {
    this.#ports = ports
  }

  /** Looks now and every hour; each finding is logged once while it holds. */
  start(): void {
    this.#look()
      .catch((error: unknown) => {
        this.#ports.logger.warn({ reason: messageOf(error) }, 'the ends of keys could not be looked at')
      })
      .finally(() => {
        if (this.#cancelLook === STOPPED) return
        this.#cancelLook = this.#ports.clock.after(LOOK_EVERY_MS, () => this.start())
      })
  }

  stop(): void {
    this.#cancelLook?.()
    this.#cancelLook = STOPPED
  }

  async warnings(): Promise<readonly KeyWarning[]> {
    const { engine, policy, signing, schedule, clock } = this.#ports
    const view = policy()
    const { orgId, did } = view.self
    const { peers } = view.policy
    const { ownKeys, ...rest } = schedule()
    const packs: NewestPack[] = []
    for (const organisation of new Set([orgId, ...peers.map((peer) => peer.orgId)])) {
      const { head } = await storedPacks(engine, organisation, view)
      if (head.hash === null) continue
      const keys = [...head.keys.values()].map(({ key }) => ({
        kid: key.kid,
        publicKey: key.publicKey,
        status: key.status,
        notAfter: key.notAfter ?? null
      }))
      packs.push({ orgId: organisation, packSeq: head.packSeq, validUntil: head.validUntil, keys })
    }
    const found = keyWarnings({
      ...rest,
      now: clock.now(),
      orgId,
      ownKeys: ownKeys.map((key) => ({ ...key, signs: key.kid === signing() })),
      peers: peers.filter((peer) => peer.did !== did),
      packs
    })
    return found.slice(0, WARNINGS_MAX)
  }

  async #look(): Promise<void> {
    const told = new Set<string>()
    for (const { code, subject, text } of await this.warnings()) {
      const name = `${code} ${subject}`
      if (!this.#told.has(name)) this.#ports.logger.warn({ code, subject }, text)
      told.add(name)
    }
    this.#told = told
  }
}

const STOPPED = (): void => {}
