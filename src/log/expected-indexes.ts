import { equalBytes } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { messageOf } from '../platform/errors.ts'
import type { Branch, EventPosition, TipPlace } from './event-index.ts'
import { decodeBranch, decodeRun, encodeTip } from './event-index.ts'
import {
  BRANCHES_PREFIX,
  CHAINS_PREFIX,
  ID_PREFIX,
  NAMESPACE_COUNT_PREFIX,
  POLICY_PREFIX,
  TIPS_PREFIX,
  parseSortableNumber,
  tipKey
} from './keys.ts'
import type { StoreReader } from './store.ts'
import { prefixRange } from './store.ts'

/** Something that a walk over the log found; `logSeq` where it belongs to one record. */
export interface Finding {
  readonly logSeq: number | null
  readonly problem: string
}

/**
 * What the indexes of a log must hold, collected from its records one after the other, to be compared with what they do
 * hold. Grows with the chains, not with the events.
 */
export class ExpectedIndexes {
  /** By event id. */
  readonly #tips = new Map<string, { readonly namespace: string; readonly position: EventPosition }>()
  readonly #counts = new Map<string, number>()
  readonly #policies = new Set<number>()
  readonly #chains = new SetSum()
  readonly #branches = new SetSum()
  #events = 0

  add(event: { readonly id: string; readonly namespace: string }, position: EventPosition): void {
    const { namespace } = event
    this.#events += 1
    this.#tips.set(event.id, { namespace, position })
    this.#counts.set(namespace, (this.#counts.get(namespace) ?? 0) + 1)
    this.#chains.add(placeInChain(position.chain, position))
  }

  addBranch(chain: string, branch: number, begins: Branch): void {
    this.#branches.add(beginningOf(chain, branch, begins))
  }

  addPolicy(logSeq: number): void {
    this.#policies.add(logSeq)
  }

  /** The position of an event that nothing followed so far; from now on it is followed. */
  follow(eventId: string): EventPosition | undefined {
    const tip = this.#tips.get(eventId)
    this.#tips.delete(eventId)
    return tip?.position
  }

  /**
   * Everything in which the stored indexes differ. Whether each event stands in the id index, the walk over the records
   * has seen.
   */
  async *differences(store: StoreReader): AsyncGenerator<Finding> {
    yield* this.#idDifferences(store)
    yield* this.#chainDifferences(store)
    yield* this.#branchDifferences(store)
    yield* this.#tipDifferences(store)
    yield* this.#countDifferences(store)
    yield* this.#policyDifferences(store)
  }

  async *#idDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const entries = await countOf(store.range(prefixRange(ID_PREFIX)))
    if (entries !== this.#events)
      yield { logSeq: null, problem: `the id index has ${entries} entries, the log ${this.#events} events` }
  }

  async *#chainDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const indexed = new SetSum()
    for await (const [key, bytes] of store.range(prefixRange(CHAINS_PREFIX))) {
      const [, chain = '', first = '', begin = ''] = key.split('!')
      const run = readOr(() => decodeRun(bytes))
      if ('problem' in run) {
        yield { logSeq: null, problem: run.problem }
        continue
      }
      const { branch, logSeqs } = run.value
      if (logSeqs[0] !== parseSortableNumber(begin))
        yield { logSeq: null, problem: `the chain index has an entry of record ${logSeqs[0]} under ${key}` }
      for (const [offset, logSeq] of logSeqs.entries())
        indexed.add(placeInChain(chain, { authorSeq: parseSortableNumber(first) + offset, logSeq, branch }))
    }
    if (!indexed.equals(this.#chains))
      yield { logSeq: null, problem: 'the chain index does not name just the events of the log, each at its place' }
  }

  async *#branchDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const indexed = new SetSum()
    for await (const [key, bytes] of store.range(prefixRange(BRANCHES_PREFIX))) {
      const [, chain = '', branch = ''] = key.split('!')
      const begins = readOr(() => decodeBranch(bytes))
      if ('problem' in begins) yield { logSeq: null, problem: begins.problem }
      else indexed.add(beginningOf(chain, parseSortableNumber(branch), begins.value))
    }
    if (!indexed.equals(this.#branches))
      yield { logSeq: null, problem: 'the branch index does not name just the branches of the log, with their parents' }
  }

  async *#tipDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const missing = new Set(this.#tips.keys())
    for await (const [key, bytes] of store.range(prefixRange(TIPS_PREFIX))) {
      const id = key.slice(key.lastIndexOf('!') + 1)
      const tip = this.#tips.get(id)
      if (tip === undefined || key !== tipKey(tip.namespace, tip.position.chain, id)) {
        yield { logSeq: null, problem: `the tip index names ${id}, which is no tip` }
        continue
      }
      missing.delete(id)
      if (!equalBytes(bytes, encodeTip(tip.position)))
        yield { logSeq: tip.position.logSeq, problem: `the tip index has ${id} elsewhere` }
    }
    for (const id of missing)
      yield { logSeq: this.#tips.get(id)?.position.logSeq ?? null, problem: `the tip index lacks ${id}` }
  }

  async *#countDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const indexed = new Map<string, string>()
    for await (const [key, bytes] of store.range(prefixRange(NAMESPACE_COUNT_PREFIX))) {
      indexed.set(key.slice(NAMESPACE_COUNT_PREFIX.length), Buffer.from(bytes).toString('utf8'))
    }
    for (const namespace of new Set([...this.#counts.keys(), ...indexed.keys()])) {
      const count = this.#counts.get(namespace) ?? 0
      const said = indexed.get(namespace) ?? '0'
      if (said !== String(count))
        yield { logSeq: null, problem: `${namespace} has ${count} events, its count says ${said}` }
    }
  }

  async *#policyDifferences(store: StoreReader): AsyncGenerator<Finding> {
    const missing = new Set(this.#policies)
    for await (const [key] of store.range(prefixRange(POLICY_PREFIX))) {
      const logSeq = parseSortableNumber(key.slice(POLICY_PREFIX.length))
      if (!missing.delete(logSeq)) yield { logSeq, problem: 'the policy index names it, but it is no policy' }
    }
    for (const logSeq of missing) yield { logSeq, problem: 'the policy index lacks it' }
  }
}

async function countOf(entries: AsyncIterable<unknown>): Promise<number> {
  const iterator = entries[Symbol.asyncIterator]()
  let count = 0
  while ((await iterator.next()).done !== true) count += 1
  return count
}

/** What `read` gives, or why it throws: an entry that can't be read is a finding. */
function readOr<Value>(read: () => Value): { readonly value: Value } | { readonly problem: string } {
  try {
    return { value: read() }
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

function placeInChain(chain: string, { authorSeq, logSeq, branch }: TipPlace): string {
  return `${chain} ${authorSeq} ${logSeq} ${branch}`
}

function beginningOf(chain: string, branch: number, { parent, firstAuthorSeq }: Branch): string {
  return `${chain} ${branch} ${parent} ${firstAuthorSeq}`
}

const HALF = 2 ** 48
const DIGITS_OF_HALF = 12

/**
 * Tells whether two sets are the same, in whatever order each is gone through, without holding either: the sum of the
 * hashes of what is in it. Against damage, not against somebody who chooses what is in the sets.
 */
class SetSum {
  #low = 0
  #high = 0

  add(item: string): void {
    const hash = sha256Hex(item)
    this.#low = (this.#low + Number.parseInt(hash.slice(0, DIGITS_OF_HALF), 16)) % HALF
    this.#high = (this.#high + Number.parseInt(hash.slice(DIGITS_OF_HALF, 2 * DIGITS_OF_HALF), 16)) % HALF
  }

  equals(other: SetSum): boolean {
    return this.#low === other.#low && this.#high === other.#high
  }
}
