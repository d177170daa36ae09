import { createHash } from 'node:crypto'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Store, StoreReader } from '../log/store.ts'
import { notCarried } from '../policy/not-carried.ts'
import type { PolicyView } from '../policy/policy-view.ts'
import type { ProjectionEngine } from './engine.ts'
import { NOTHING_CHANGED, rowsInOrder } from './rows-of-moment.ts'
import { chainTips } from './sequences.ts'
import type { ProjectionState } from './state.ts'
import { readState, rowsOfState } from './state.ts'

// A digest is of one moment; folding what was logged before it takes milliseconds, a rebuild perhaps more.
const WAIT_MS_MAX = 5_000

/** The projections that two nodes compare, those of them that make up `state`, and all that a digest is made of. */
const COMPARED = [
  'batches',
  'timestamp-anchors',
  'trust-anchors',
  'sequences',
  'equivocations',
  'attestations'
] as const
const STATE = ['timestamp-anchors', 'trust-anchors', 'sequences', 'equivocations', 'attestations'] as const
const READ = [...COMPARED, 'winners'] as const

/** What two nodes compare to know that they agree; every hash is SHA-256, hex. */
export interface Digest {
  readonly namespace: string
  readonly logSeq: number
  /** Shared events of the namespace. */
  readonly count: number
  readonly membershipDigest: string
  /** Over the sorted tips: equal for equal sets of events. */
  readonly events: string
  /** Over the shared fields of the projections that only events and membership decide. */
  readonly state: string
  readonly projections: Readonly<Record<string, string>>
  /** Comparable between nodes whose policy and verdict digests match. */
  readonly winners: { readonly digest: string; readonly policyDigest: string; readonly verdictSetDigest: string }
}

/** What digests are made of. */
export interface DigestPorts {
  readonly engine: ProjectionEngine
  readonly store: Store
  readonly policy: () => PolicyView
}

/**
 * The digests of a node, for whoever asks. One is worked out from all rows of its namespace, so the last of each
 * namespace is kept for as long as its projections and its policy stay as they are, and only one of a namespace is
 * worked out at a time.
 */
export class NamespaceDigests {
  readonly #ports: DigestPorts
  /** By namespace, of those that are carried. */
  readonly #known = new Map<string, { readonly digest: Digest; readonly basis: string }>()
  readonly #running = new Map<string, Promise<Digest>>()

  constructor(ports: DigestPorts) {
    this.#ports = ports
  }

  /**
   * The digest of a namespace at one position, not before `head`. Throws `NOT_FOUND` for a namespace that is not
   * carried, `NOT_YET`, and `PROJECTION_HALTED` for a projection that it is made of.
   */
  async at(head: number, namespace: string): Promise<Digest> {
    const policy = this.#ports.policy()
    if (!policy.carries(namespace)) throw notCarried(namespace, policy.namespaces)
    await allReached(this.#ports.engine, head)
    for (;;) {
      const known = this.#known.get(namespace)
      if (known?.basis === this.#basis(namespace)) return known.digest
      const running = this.#running.get(namespace)
      const digest = await (running ?? this.#workOut(namespace))
      // Another's may be of a moment before this question.
      if (digest.logSeq >= head) return digest
    }
  }

  #workOut(namespace: string): Promise<Digest> {
    const { engine, store } = this.#ports
    const policy = this.#ports.policy()
    const running = digestNow(engine, store, policy, namespace)
      .then(({ digest, states }) => {
        this.#known.set(namespace, { digest, basis: basisOf(policy, namespace, states) })
        return digest
      })
      .finally(() => this.#running.delete(namespace))
    this.#running.set(namespace, running)
    return running
  }

  /** What a digest that is worked out now would be made from. */
  #basis(namespace: string): string {
    const { engine, policy } = this.#ports
    return basisOf(policy(), namespace, new Map(READ.map((name) => [name, engine.instance(name).state])))
  }
}

/** Digests of the same basis are the same. */
function basisOf(policy: PolicyView, namespace: string, states: ReadonlyMap<string, ProjectionState>): string {
  const places = READ.map((name) => states.get(name)).map((state) => [state?.version, state?.generation, state?.cursor])
  return JSON.stringify([policy.membershipDigest(namespace), policy.policyDigest(namespace), places])
}

/** Resolves once every projection that a digest is made of has reached `logSeq`. */
async function allReached(engine: ProjectionEngine, logSeq: number): Promise<void> {
  await Promise.all(READ.map((name) => engine.reached(logSeq, WAIT_MS_MAX, name)))
}

async function digestNow(
  engine: ProjectionEngine,
  store: Store,
  policy: PolicyView,
  namespace: string
): Promise<{ readonly digest: Digest; readonly states: ReadonlyMap<string, ProjectionState> }> {
  for (;;) {
    const snapshot = await store.snapshot()
    let position: number
    try {
      const states = new Map<string, ProjectionState>()
      for (const name of READ) states.set(name, await readState(snapshot, engine.instance(name).projection))
      const cursors = [...states.values()].map(({ cursor }) => cursor)
      position = Math.max(...cursors)
      if (Math.min(...cursors) === position) {
        return { digest: await digestOf({ engine, snapshot, states, policy, namespace }, position), states }
      }
    } finally {
      await snapshot.close()
    }
    // Projections move together, but for moments in which a policy has one of them folded anew.
    await allReached(engine, position)
  }
}

/** The projections at one moment of the store. */
interface Reading {
  readonly engine: ProjectionEngine
  readonly snapshot: StoreReader
  readonly states: ReadonlyMap<string, ProjectionState>
  readonly policy: PolicyView
  readonly namespace: string
}

async function digestOf(reading: Reading, logSeq: number): Promise<Digest> {
  const { namespace, policy } = reading
  const projections: Record<string, string> = {}
  for (const name of COMPARED) projections[name] = await rowsDigest(reading, name)
  return {
    namespace,
    logSeq,
    membershipDigest: policy.membershipDigest(namespace),
    ...(await eventsDigest(reading)),
    state: sha256Hex(encodeCanonical(Object.fromEntries(STATE.map((name) => [name, projections[name] ?? ''])))),
    projections,
    winners: {
      digest: await rowsDigest(reading, 'winners'),
      policyDigest: policy.policyDigest(namespace),
      verdictSetDigest: await verdictSetDigest(reading)
    }
  }
}

/**
 * How many events there are, and SHA-256 over the ids of the tips, each 32 bytes, in ascending order. By `sequences`,
 * because the log may have gone on already. Keeps the ids in memory: as many as chains, and tips of forks.
 */
async function eventsDigest(reading: Reading): Promise<{ readonly count: number; readonly events: string }> {
  const state = reading.states.get('sequences') as ProjectionState
  const ids: string[] = []
  let count = 0
  for await (const row of rowsOf(reading, 'sequences')) {
    const chain = await chainTips(row, reading.snapshot, state)
    count += chain.events
    ids.push(...chain.tips)
  }
  const hash = createHash('sha256')
  for (const id of ids.sort()) hash.update(Buffer.from(id, 'hex'))
  return { count, events: hash.digest('hex') }
}

/** SHA-256 over the JCS lines of the rows' shared fields, in key order. */
async function rowsDigest(reading: Reading, name: string): Promise<string> {
  const { projection } = reading.engine.instance(name)
  const hash = createHash('sha256')
  for await (const row of rowsOf(reading, name)) {
    const shared = projection.shared(row)
    if (shared !== null) hash.update(`${encodeCanonical(shared)}\n`)
  }
  return hash.digest('hex')
}

/**
 * Which evidence was found good or bad here, without times. What could not be decided yet is left out: it takes no part
 * in who wins, and says only how one node's providers are at the moment. Neither does why it is bad: a node that looked
 * before a chain was rewritten found another fault, and has no reason to look again.
 */
async function verdictSetDigest(reading: Reading): Promise<string> {
  const hash = createHash('sha256')
  for await (const row of rowsOf(reading, 'timestamp-anchors')) {
    const { evidenceHash, status } = row
    if (status === 'verified' || status === 'invalid') hash.update(`${encodeCanonical({ evidenceHash, status })}\n`)
  }
  return hash.digest('hex')
}

/** The rows of the namespace; of trust anchors, those of its members' organisations. */
async function* rowsOf(reading: Reading, name: string): AsyncGenerator<JsonObject> {
  const { engine, snapshot, states, policy, namespace } = reading
  const { projection } = engine.instance(name)
  const prefix = projection.namespacePrefix(namespace)
  const organisations = new Set(policy.members(namespace).map(({ orgId }) => orgId))
  const rows = rowsOfState(name, states.get(name) as ProjectionState)
  for await (const [, row] of rowsInOrder(snapshot, projection, rows, prefix ?? '', undefined, NOTHING_CHANGED)) {
    if (prefix !== null || organisations.has(row['orgId'] as string)) yield row
  }
}
