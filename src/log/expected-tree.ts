import { merkleRoot } from '../../protocols/batch/v1/merkle.ts'
import { recordLeaf } from '../../protocols/checkpoint/v1/tree.ts'
import { concat, equalBytes } from '../../protocols/primitives/bytes.ts'
import type { Finding } from './expected-indexes.ts'
import { TREE_PREFIX, treeKey } from './keys.ts'
import { TILE_LEAVES } from './limits.ts'
import type { StoreReader } from './store.ts'
import { prefixRange } from './store.ts'

/**
 * What the tree over a log must hold, made from its records one after the other, against what is stored. A stored tree
 * may end early: the node builds the rest.
 */
export class ExpectedTree {
  #tail: Uint8Array[] = []
  #tiles = 0
  readonly #uppers: Uint8Array[][] = []
  /** Entries that were looked for and are there. */
  #found = 0
  #lacking: string | null = null
  /** Set where a record is lost: of what stands over it nothing can be said. */
  #isLost = false
  readonly #waiting = new Map<string, { readonly value: Uint8Array; readonly logSeq: number }>()

  /** The next record of the log, by its hash. */
  add(logSeq: number, recordHash: Uint8Array): void {
    if (this.#isLost) return
    this.#tail.push(recordLeaf(recordHash))
    if (this.#tail.length < TILE_LEAVES) return
    this.#waiting.set(treeKey(0, this.#tiles), { value: concat(...this.#tail), logSeq })
    let complete = this.#tail
    for (let level = 1, index = this.#tiles; complete.length === TILE_LEAVES; level += 1) {
      const root = merkleRoot(complete)
      this.#waiting.set(treeKey(level, index), { value: root, logSeq })
      const siblings = this.#uppers[level - 1] ?? []
      siblings.push(root)
      this.#uppers[level - 1] = siblings.length === TILE_LEAVES ? [] : siblings
      complete = siblings
      index = Math.floor(index / TILE_LEAVES)
    }
    this.#tail = []
    this.#tiles += 1
  }

  /** A record is damaged or missing, which is a finding of its own. */
  lose(): void {
    this.#isLost = true
  }

  /** In what the store differs from the tiles that became complete since it was asked last. */
  async *differences(store: StoreReader): AsyncGenerator<Finding> {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    const stored = await store.getMany(waiting.map(([key]) => key))
    for (const [index, [key, { value, logSeq }]] of waiting.entries()) {
      const bytes = stored[index]
      if (bytes === undefined) {
        this.#lacking ??= key
        continue
      }
      this.#found += 1
      if (!equalBytes(bytes, value)) yield { logSeq, problem: `the tree over the log is another one at ${key}` }
      if (this.#lacking !== null)
        yield { logSeq, problem: `the tree over the log goes on at ${key}, without ${this.#lacking}` }
    }
  }

  /** What stands in the tree beside that. */
  async *surplus(store: StoreReader): AsyncGenerator<Finding> {
    if (this.#isLost) return
    let entries = 0
    for await (const [key] of store.range(prefixRange(TREE_PREFIX))) entries += Number(key.length > 0)
    if (entries !== this.#found)
      yield {
        logSeq: null,
        problem: `the tree over the log has ${entries} entries, ${this.#found} of them of its records`
      }
  }
}
