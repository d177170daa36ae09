import { rm } from 'node:fs/promises'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AnchormeshNode, NodePorts } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { announceBody, next } from '../support/events.ts'
import type { SignedEvent } from '../support/events.ts'
import type { TestMember } from '../support/identities.ts'
import { member, policyOf } from '../support/identities.ts'

/** The members of the bench's namespace: the node and its signers. */
export function members(signers: number): readonly TestMember[] {
  return Array.from({ length: signers }, (_, index) => member(`bench-${index}`))
}

/** `count` announces, the signers taking turns, each in its own chain. */
export async function announces(signers: readonly TestMember[], count: number): Promise<SignedEvent[]> {
  const tips = new Map<TestMember, SignedEvent>()
  const events: SignedEvent[] = []
  for (let index = 0; index < count; index += 1) {
    const signer = signers[index % signers.length] as TestMember
    const event = await next(signer, tips.get(signer) ?? null, announceBody(`batch-${index}`))
    tips.set(signer, event)
    events.push(event)
  }
  return events
}

export interface BenchNode {
  readonly node: AnchormeshNode
  readonly folder: string
  /** Closes the node and removes its folder. */
  end(): Promise<void>
}

/** What a node of a bench has beside its signers. */
export interface BenchOptions {
  /** The first of the signers, if absent. */
  readonly self?: TestMember
  readonly policy?: EffectivePolicy
  /** Puts something between the node and each of its stores. */
  readonly wrap?: (store: Store, name: 'store' | 'blobs') => Store
  readonly ports?: Pick<NodePorts, 'signatureVerifiers' | 'network' | 'verifiers' | 'audit'>
  /** Time between two checkpoints; none is published, if absent. */
  readonly checkpointMs?: number
}

/** A node on a LevelDB folder: a new one, or the one that is there. Without a network it has no mesh. */
export async function openNode(
  signers: readonly TestMember[],
  folder: string = mkdtempSync(join(tmpdir(), 'anchormesh-bench-')),
  options: BenchOptions = {}
): Promise<BenchNode> {
  const self = options.self ?? signers[0]
  if (self === undefined) throw new Error('a node needs a signer')
  const checkpoint = checkpointFile(join(folder, 'store.json'))
  const create = (await checkpoint.read()) === null
  const wrap = options.wrap ?? ((store: Store) => store)
  const { policy = policyOf(self, signers), checkpointMs } = options
  const node = await createNode(
    { policy, signer: self.signer, version: 'bench', ...(checkpointMs === undefined ? {} : { checkpointMs }) },
    {
      store: wrap(await openLevelStore(join(folder, 'store'), { create }), 'store'),
      blobs: wrap(await openLevelStore(join(folder, 'blobs'), { create }), 'blobs'),
      checkpoint,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      ...options.ports
    }
  )
  const end = async (): Promise<void> => {
    await node.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { node, folder, end }
}

/** Takes the events in by the door and waits until every projection shows them. */
export async function ingest(node: AnchormeshNode, events: readonly SignedEvent[]): Promise<void> {
  await node.importEvents(wires(events))
  await caughtUp(node)
}

/** Resolves once every projection has reached the log's head. */
export async function caughtUp(node: AnchormeshNode): Promise<void> {
  for (;;) {
    const { log, projections } = await node.status()
    const behind = projections.find(({ logSeq }) => logSeq < log.logSeq)
    if (behind === undefined) return
    await reached(node, behind.name, log.logSeq)
  }
}

/** Resolves once the projection has reached a position, however long that takes. */
export async function reached(node: AnchormeshNode, projection: string, logSeq: number): Promise<void> {
  for (;;) {
    try {
      await node.query(projection, { waitFor: logSeq, limit: 1 })
      return
    } catch (error) {
      if (!(error instanceof AnchormeshError) || error.code !== 'NOT_YET') throw error
    }
  }
}

async function* wires(events: readonly SignedEvent[]): AsyncGenerator<Uint8Array> {
  for (const { wire } of events) yield wire
}
