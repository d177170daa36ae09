import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { createVirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import type { Anchorer, AnchorStep, RailName } from '../../src/anchoring/anchorer.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import type { CheckpointKeeper } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { Store } from '../../src/log/store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { createNode } from '../../src/node.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { SealingConfig } from '../../src/policy/config-schema.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import type { TimestampVerifier, VerifierResult } from '../../src/timestamps/verifier.ts'
import { collect } from '../support/collect.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'

export const SELF = member('self')
export const BATCH = { namespace: NAMESPACE, batchId: 'b1' }
export const TSA = 'rfc3161:test'
export const BTC = 'btc:mainnet'
export const EVM = 'eip155:1'

/** Stands for the chains and authorities outside: it lives on when a node crashes. */
export interface World {
  /** Drafts that were paid for, by chain and root: each at most once, however often it is broadcast. */
  readonly paid: Map<string, Set<string>>
  readonly prepared: string[]
  readonly advanced: string[]
  /** What the next steps on a chain are in place of what would happen by itself. */
  readonly steps: Map<string, (AnchorStep | 'throw' | 'hang')[]>
  /** What verifiers say in the place of `valid`; the evidence that was asked about is kept. */
  readonly verdicts: Map<string, VerifierResult[]>
  readonly verified: string[]
}

export function newWorld(): World {
  return { paid: new Map(), prepared: [], advanced: [], steps: new Map(), verdicts: new Map(), verified: [] }
}

export const VALID: VerifierResult = { outcome: 'valid', finality: {}, provenTime: 1, position: 1, evidence: {} }

export function failed(code: string, retryAfterMs = 0): AnchorStep {
  return { state: 'failed', code, detail: 'scripted', retryAfterMs }
}

/** Evidence on a chain, made of any text. */
export function evidence(chainId: string, text: string): TimestampAnchor {
  const hash = sha256Hex(text)
  if (chainId.startsWith('rfc3161:')) return { chainId, token: hash }
  if (chainId.startsWith('eip155:')) return { chainId, txHash: hash, blockNumber: 1, carriedIn: 'calldata' }
  return { chainId, txid: hash, blockHash: hash, blockHeight: 1, otsProof: 'AAAA' }
}

const RAILS: Readonly<Record<string, RailName>> = { rfc3161: 'tsa', btc: 'btc', eip155: 'evm' }

/**
 * An authority answers at once; on a chain a draft is made, paid for when it is advanced first, and complete when it is
 * advanced again.
 */
export function anchorerOf(chainId: string, world: World, isAlive: () => boolean = () => true): Anchorer {
  const rail = RAILS[chainId.split(':')[0] ?? ''] ?? 'tsa'
  const scripted = (): AnchorStep | null | Promise<AnchorStep> => {
    const step = world.steps.get(chainId)?.shift()
    if (step === 'throw') throw new Error('scripted')
    return step === 'hang' || !isAlive() ? new Promise<AnchorStep>(() => {}) : (step ?? null)
  }
  return {
    rail,
    chainId,
    async prepare(batchRoot) {
      world.prepared.push(chainId)
      const step = await scripted()
      if (step !== null) return step
      const count = String(world.prepared.length)
      if (rail === 'tsa') return { state: 'complete', timestampAnchor: evidence(chainId, `${batchRoot} ${count}`) }
      return { state: 'under-way', draft: { nonce: count }, detail: 'signed', retryAfterMs: 1_000 }
    },
    async advance(batchRoot, draft) {
      world.advanced.push(chainId)
      const step = await scripted()
      if (step !== null) return step
      const key = `${chainId} ${batchRoot}`
      const paid = world.paid.get(key) ?? new Set<string>()
      world.paid.set(key, paid)
      const { nonce } = draft as { readonly nonce: string }
      const timestampAnchor = evidence(chainId, `${key} ${nonce}`)
      if (paid.has(nonce)) return { state: 'complete', timestampAnchor }
      paid.add(nonce)
      return { state: 'under-way', draft, detail: 'waits for a block', retryAfterMs: 30_000 }
    }
  }
}

export function verifierOf(world: World): TimestampVerifier {
  return {
    name: 'scripted',
    handles: () => true,
    verify: ({ timestampAnchor }) => {
      world.verified.push(evidenceIdOf(timestampAnchor))
      return Promise.resolve(world.verdicts.get(timestampAnchor.chainId)?.shift() ?? VALID)
    }
  }
}

export interface Place {
  readonly store: Store
  readonly blobs: Store
  readonly checkpoint: CheckpointKeeper
  readonly clock: VirtualClock
}

export interface AnchoringNode extends Place {
  readonly node: AnchormeshNode
  readonly world: World
  /** Lets time pass, and everything happen that it brings. */
  readonly pass: (ms: number) => Promise<void>
}

export interface AnchoringOptions {
  readonly world?: World
  readonly place?: Place
  readonly chains?: readonly string[]
  readonly sealing?: Readonly<Record<string, SealingConfig>>
  readonly policy?: EffectivePolicy
  readonly logger?: Logger
  readonly anchorers?: readonly Anchorer[]
  readonly verifiers?: readonly TimestampVerifier[]
  readonly isAlive?: () => boolean
  readonly seed?: string
}

// A pass has some twenty steps that each take a turn or two.
const TURNS = 40

export async function newPlace(): Promise<Place> {
  return {
    store: await openMemoryStore(),
    blobs: await openMemoryStore(),
    checkpoint: memoryCheckpoint(),
    clock: newClock()
  }
}

export function newClock(startMs?: number): VirtualClock {
  return createVirtualClock({ settle: turns, ...(startMs === undefined ? {} : { startMs }) })
}

export async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await settled()
}

/** A node with scripted anchorers and verifiers; started only by the test. */
export async function openAnchoring(options: AnchoringOptions = {}): Promise<AnchoringNode> {
  const { world = newWorld(), chains = [TSA, BTC, EVM], isAlive, sealing } = options
  const place = options.place ?? (await newPlace())
  const node = await createNode(
    {
      policy: options.policy ?? policyOf(SELF, [SELF]),
      signer: SELF.signer,
      version: 'test',
      ...(sealing === undefined ? {} : { sealing })
    },
    {
      ...place,
      random: seededRandom(options.seed ?? 'anchoring'),
      logger: options.logger ?? silentLogger,
      verifiers: options.verifiers ?? [verifierOf(world)],
      anchorers: options.anchorers ?? chains.map((chainId) => anchorerOf(chainId, world, isAlive))
    }
  )
  const pass = async (ms: number): Promise<void> => {
    await place.clock.advance(ms)
    await turns()
  }
  return { ...place, node, world, pass }
}

/** The bodies of the announces in the node's log, in order. */
export async function announces(node: AnchormeshNode): Promise<JsonObject[]> {
  const events = await collect(node.events({ namespace: NAMESPACE, type: 'announce' }))
  return events.map(({ event }) => event['body'] as JsonObject)
}

/** The chains of an announce, sorted. */
export function chainsIn(announce: JsonObject | undefined): string[] {
  const anchors = (announce?.['timestampAnchors'] ?? []) as readonly { readonly chainId: string }[]
  return anchors.map(({ chainId }) => chainId).sort()
}

/** How many drafts were paid for, by chain and root. */
export function payments({ paid }: World): number[] {
  return [...paid.values()].map(({ size }) => size)
}
