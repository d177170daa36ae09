import { Column } from './column.ts'
import type { Accepts } from './run-record.ts'

const WORD_BITS = 32

/** Which event is held where, and what the nodes that count (honest ones that are on) lack of what any of them holds. */
export class Holdings {
  readonly accepts: Accepts = { event: new Column(), node: new Column(), atUs: new Column() }
  /** Of each node one bit for each event. */
  readonly #held: Uint32Array[]
  readonly #heldCounts: number[]
  readonly #counts: boolean[]
  readonly #events = new Map<string, number>()
  /** Of each event, how many nodes that count hold it. */
  readonly #holders: number[] = []
  #union = 0
  #counting = 0
  /** Over the nodes that count. */
  #heldTotal = 0

  constructor(nodes: number) {
    this.#held = Array.from({ length: nodes }, () => new Uint32Array(8))
    this.#heldCounts = Array.from({ length: nodes }, () => 0)
    this.#counts = Array.from({ length: nodes }, () => false)
  }

  /** Nodes that count. */
  get counting(): number {
    return this.#counting
  }

  /** Events that any of them holds. */
  get union(): number {
    return this.#union
  }

  /** Whether all of them hold all that any of them holds. */
  get isWhole(): boolean {
    return this.#counting > 0 && this.#heldTotal === this.#union * this.#counting
  }

  heldBy(node: number): number {
    return this.#heldCounts[node] ?? 0
  }

  /** Those of them that hold all that any of them holds. */
  countWhole(): number {
    return this.#heldCounts.filter((held, node) => this.#counts[node] === true && held === this.#union).length
  }

  /** The number of an event; it has one from the first time on. */
  numberOf(eventId: string): { readonly event: number; readonly isNew: boolean } {
    const known = this.#events.get(eventId)
    if (known !== undefined) return { event: known, isNew: false }
    const event = this.#events.size
    this.#events.set(eventId, event)
    this.#holders.push(0)
    return { event, isNew: true }
  }

  /** An event is safe on a node. One that it held already changes nothing. */
  accept(event: number, node: number, atUs: number): void {
    const word = event >>> 5
    const bit = 1 << (event & (WORD_BITS - 1))
    const words = this.#wordsOf(node, word)
    if (((words[word] ?? 0) & bit) !== 0) return
    words[word] = (words[word] ?? 0) | bit
    this.#heldCounts[node] = this.heldBy(node) + 1
    this.accepts.event.push(event)
    this.accepts.node.push(node)
    this.accepts.atUs.push(atUs)
    if (this.#counts[node] === true) this.#shift(event, 1)
  }

  setCounts(node: number, counts: boolean): void {
    if (this.#counts[node] === counts) return
    this.#counts[node] = counts
    const step = counts ? 1 : -1
    this.#counting += step
    this.#forEachHeld(node, (event) => this.#shift(event, step))
  }

  /** The node holds nothing any more. */
  lose(node: number): void {
    if (this.#counts[node] === true) this.#forEachHeld(node, (event) => this.#shift(event, -1))
    this.#held[node]?.fill(0)
    this.#heldCounts[node] = 0
  }

  #shift(event: number, step: 1 | -1): void {
    const before = this.#holders[event] ?? 0
    this.#holders[event] = before + step
    this.#heldTotal += step
    if (before === 0) this.#union += 1
    if (before + step === 0) this.#union -= 1
  }

  #forEachHeld(node: number, visit: (event: number) => void): void {
    const words = this.#held[node] ?? []
    for (const [place, word] of words.entries()) {
      for (let bits = word; bits !== 0; bits &= bits - 1)
        visit(place * WORD_BITS + (WORD_BITS - 1 - Math.clz32(bits & -bits)))
    }
  }

  #wordsOf(node: number, word: number): Uint32Array {
    const words = this.#held[node] as Uint32Array
    if (word < words.length) return words
    const grown = new Uint32Array(Math.max(word + 1, words.length * 2))
    grown.set(words)
    this.#held[node] = grown
    return grown
  }
}
