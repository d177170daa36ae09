import { afterEach } from 'vitest'
import { Author } from '../../src/authoring/author.ts'
import { followBoundKeys, loadBoundKeys } from '../../src/ingest/bound-keys.ts'
import { IngestDoor } from '../../src/ingest/door.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { Store } from '../../src/log/store.ts'
import { localEvent } from '../../src/events/local.ts'
import type { SignatureVerifiers } from '../../src/platform/signature-verifiers.ts'
import type { PolicyView } from '../../src/policy/policy-view.ts'
import { viewPolicy } from '../../src/policy/policy-view.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { NamespaceDigests } from '../../src/projections/digest.ts'
import { ProjectionEngine } from '../../src/projections/engine.ts'
import { Keyring } from '../../src/trust/keyring.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { collect } from './collect.ts'
import type { HandClock } from './hand-clock.ts'
import { createHandClock } from './hand-clock.ts'
import type { TestMember } from './identities.ts'
import { policyOf } from './identities.ts'
import type { LogLine } from './recording-logger.ts'
import { recordingLogger } from './recording-logger.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'

/** The parts of a node from the door down, wired as `createNode` wires them, each within reach of a test. */
export interface Ingest {
  readonly store: Store
  readonly blobs: BlobStore
  readonly checkpoint: CheckpointKeeper
  readonly clock: HandClock
  readonly lines: LogLine[]
  readonly log: EventLog
  readonly engine: ProjectionEngine
  readonly keyring: Keyring
  readonly door: IngestDoor
  readonly author: Author
  /** The policy in force; may be exchanged. */
  policy: PolicyView
  /** Everything that must not change when nothing is admitted. */
  fingerprint(): Promise<unknown>
  /** The rows of a projection, once it has come to the log's head. */
  rows(projection: string): Promise<JsonObject[]>
  close(): Promise<void>
}

export interface IngestOptions {
  readonly policy?: EffectivePolicy
  readonly store?: Store
  readonly checkpoint?: CheckpointKeeper
  readonly clock?: HandClock
  readonly futureSkewMs?: number
  readonly signatureVerifiers?: SignatureVerifiers
}

const opened = new Set<Ingest>()

afterEach(async () => {
  for (const ingest of opened) await ingest.close()
})

/**
 * Opens the parts for `self` among `members`, in memory unless a store is given; closed with the test at the latest.
 */
export async function openIngest(
  self: TestMember,
  members: readonly TestMember[],
  options: IngestOptions = {}
): Promise<Ingest> {
  const store = options.store ?? (await openMemoryStore())
  const checkpoint = options.checkpoint ?? memoryCheckpoint()
  const clock = options.clock ?? createHandClock()
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  const log = await openLog({ store, checkpoint, clock, logger, random: seededRandom('ingest') })
  const effective = options.policy ?? policyOf(self, members)
  if ((await log.lastPolicy(log.head.logSeq)) === undefined) {
    await log.append([{ scope: 'local', event: localEvent('policy', clock.now(), effective) }])
  }
  const engine = await ProjectionEngine.start(PROJECTIONS, { log, store, clock, logger })
  await engine.reached(log.head.logSeq, null)
  const keyring = new Keyring()
  await loadBoundKeys(engine, keyring)
  const parts = { policy: viewPolicy(effective) }
  const futureSkewMs = options.futureSkewMs ?? 120_000
  const { signatureVerifiers } = options
  const door = new IngestDoor({
    log,
    keyring,
    policy: () => ingest.policy,
    clock,
    logger,
    futureSkewMs: () => futureSkewMs,
    signatureVerifiers
  })
  const author = new Author({
    signer: () => self.signer,
    log,
    door,
    clock,
    isCutOff: ({ did, kid }) => engine.trust.restriction(ingest.policy.orgOf(did), kid) !== undefined
  })
  const stopFollowing = await followBoundKeys({ log, engine, keyring, door, clock, logger })
  const blobs = new BlobStore(await openMemoryStore())
  const ingest: Ingest = {
    ...parts,
    store,
    blobs,
    checkpoint,
    clock,
    lines,
    log,
    engine,
    keyring,
    door,
    author,
    async fingerprint() {
      const made = new NamespaceDigests({ engine, store, policy: () => ingest.policy })
      const digests = []
      for (const namespace of ingest.policy.namespaces) digests.push(await made.at(log.head.logSeq, namespace))
      return { logSeq: log.head.logSeq, hash: toHex(log.head.hash), digests }
    },
    async rows(projection) {
      await engine.reached(log.head.logSeq, null, projection)
      return await collect(engine.instance(projection).rowsWithPrefix(''))
    },
    async close() {
      if (!opened.delete(ingest)) return
      stopFollowing()
      await log.close()
      await engine.close()
      await store.close()
      await blobs.close()
    }
  }
  opened.add(ingest)
  return ingest
}
