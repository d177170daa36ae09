/**
 * An ordered map that never changes: each edit gives another one, which shares with the one before all that is the same
 * in both. So a snapshot costs nothing, and neither does going back to what was there before a write.
 *
 * It is a B+ tree. An edit copies the nodes on its way, but for those that it has made itself.
 */
export interface OrderedMap<Value> {
  readonly root: MapNode<Value>
  readonly size: number
}

/** The edit that made a node: it alone may change it. */
type Owner = object

interface Leaf<Value> {
  readonly owner: Owner
  readonly keys: string[]
  readonly values: Value[]
  readonly children: null
}

interface Branch<Value> {
  readonly owner: Owner
  /** Below each child stand keys from this one on; that of the first child is not looked at. */
  readonly keys: string[]
  readonly values: null
  readonly children: MapNode<Value>[]
}

type MapNode<Value> = Leaf<Value> | Branch<Value>

// Wide enough that a million keys are four steps away, narrow enough that copying a node is nothing.
const WIDTH_MAX = 32

export function emptyMap<Value>(): OrderedMap<Value> {
  return { root: { owner: {}, keys: [], values: [], children: null }, size: 0 }
}

export function valueIn<Value>({ root }: OrderedMap<Value>, key: string): Value | undefined {
  let node = root
  while (node.children !== null) node = node.children[childPlace(node.keys, key)] as MapNode<Value>
  const place = firstNotBelow(node.keys, key)
  return node.keys[place] === key ? node.values[place] : undefined
}

/** Where to begin and where to end, whatever the direction; `null`: at the end of the map. */
export interface Bounds {
  readonly low: { readonly key: string; readonly inclusive: boolean } | null
  readonly high: { readonly key: string; readonly inclusive: boolean } | null
}

/** At most `max` entries within the bounds: the least ones in ascending order, or the greatest in descending order. */
export function entriesIn<Value>(
  { root }: OrderedMap<Value>,
  bounds: Bounds,
  { reverse, max }: { readonly reverse: boolean; readonly max: number }
): [string, Value][] {
  const found: [string, Value][] = []
  if (max > 0) (reverse ? descend : ascend)(root, bounds, max, found)
  return found
}

/** Returns whether there may be more. */
function ascend<Value>(node: MapNode<Value>, bounds: Bounds, max: number, found: [string, Value][]): boolean {
  const { low, high } = bounds
  if (node.children !== null) {
    for (let place = low === null ? 0 : childPlace(node.keys, low.key); place < node.children.length; place += 1)
      if (!ascend(node.children[place] as MapNode<Value>, bounds, max, found)) return false
    return true
  }
  for (let place = low === null ? 0 : firstNotBelow(node.keys, low.key); place < node.keys.length; place += 1) {
    const key = node.keys[place] as string
    if (high !== null && (high.inclusive ? key > high.key : key >= high.key)) return false
    if (low?.inclusive === false && key === low.key) continue
    found.push([key, node.values[place] as Value])
    if (found.length === max) return false
  }
  return true
}

function descend<Value>(node: MapNode<Value>, bounds: Bounds, max: number, found: [string, Value][]): boolean {
  const { low, high } = bounds
  if (node.children !== null) {
    const last = high === null ? node.children.length - 1 : childPlace(node.keys, high.key)
    for (let place = last; place >= 0; place -= 1)
      if (!descend(node.children[place] as MapNode<Value>, bounds, max, found)) return false
    return true
  }
  const last = high === null ? node.keys.length : firstNotBelow(node.keys, high.key) + 1
  for (let place = Math.min(last, node.keys.length) - 1; place >= 0; place -= 1) {
    const key = node.keys[place] as string
    if (low !== null && (low.inclusive ? key < low.key : key <= low.key)) return false
    if (high !== null && (high.inclusive ? key > high.key : key >= high.key)) continue
    found.push([key, node.values[place] as Value])
    if (found.length === max) return false
  }
  return true
}

interface NewEntry<Value> {
  readonly key: string
  readonly value: Value
  readonly keep: (key: string) => string
}

/** Several changes that become one map. */
export class MapEdit<Value> {
  readonly #owner: Owner = {}
  #root: MapNode<Value>
  #size: number

  constructor({ root, size }: OrderedMap<Value>) {
    this.#root = root
    this.#size = size
  }

  /** The map with all that was changed. The edit is over. */
  done(): OrderedMap<Value> {
    return { root: this.#root, size: this.#size }
  }

  /** `keep` makes of a key that is new what is kept of it, an equal one. */
  set(key: string, value: Value, keep: (key: string) => string = (same) => same): void {
    const root = this.#own(this.#root)
    const split = this.#insert(root, { key, value, keep })
    this.#root =
      split === null ? root : { owner: this.#owner, keys: ['', split.key], values: null, children: [root, split.node] }
  }

  delete(key: string): void {
    if (valueIn({ root: this.#root, size: this.#size }, key) === undefined) return
    let root = this.#own(this.#root)
    this.#remove(root, key)
    this.#size -= 1
    // A branch with one child only makes the way longer.
    while (root.children?.length === 1) root = root.children[0] as MapNode<Value>
    this.#root = root.children?.length === 0 ? emptyMap<Value>().root : root
  }

  #own(node: MapNode<Value>): MapNode<Value> {
    const owner = this.#owner
    if (node.owner === owner) return node
    return node.children === null
      ? { owner, keys: node.keys.slice(), values: node.values.slice(), children: null }
      : { owner, keys: node.keys.slice(), values: null, children: node.children.slice() }
  }

  #ownChild(children: MapNode<Value>[], place: number): MapNode<Value> {
    const child = this.#own(children[place] as MapNode<Value>)
    children[place] = child
    return child
  }

  /** Returns the right part where the node had to be split. */
  #insert(node: MapNode<Value>, entry: NewEntry<Value>): { key: string; node: MapNode<Value> } | null {
    const { key, value } = entry
    if (node.children === null) {
      const place = firstNotBelow(node.keys, key)
      if (node.keys[place] === key) {
        node.values[place] = value
        return null
      }
      insertAt(node.keys, place, entry.keep(key))
      insertAt(node.values, place, value)
      this.#size += 1
    } else {
      const place = childPlace(node.keys, key)
      const split = this.#insert(this.#ownChild(node.children, place), entry)
      if (split === null) return null
      insertAt(node.keys, place + 1, split.key)
      insertAt(node.children, place + 1, split.node)
    }
    return node.keys.length <= WIDTH_MAX ? null : this.#split(node, key)
  }

  /** Where keys come in ascending order, as those of a log do, the left part stays full. */
  #split(node: MapNode<Value>, key: string): { key: string; node: MapNode<Value> } {
    const isAppended = node.children === null && node.keys.at(-1) === key
    const at = isAppended ? node.keys.length - 1 : node.keys.length >> 1
    const keys = node.keys.splice(at)
    const owner = this.#owner
    const right: MapNode<Value> =
      node.children === null
        ? { owner, keys, values: node.values.splice(at), children: null }
        : { owner, keys, values: null, children: node.children.splice(at) }
    return { key: keys[0] as string, node: right }
  }

  /** Nodes that become empty go; those that only become small stay: what is deleted is mostly keys in a row. */
  #remove(node: MapNode<Value>, key: string): void {
    if (node.children === null) {
      const place = firstNotBelow(node.keys, key)
      node.keys.splice(place, 1)
      node.values.splice(place, 1)
      return
    }
    const place = childPlace(node.keys, key)
    const child = this.#ownChild(node.children, place)
    this.#remove(child, key)
    if (child.keys.length > 0) return
    node.keys.splice(place, 1)
    node.children.splice(place, 1)
  }
}

/** As `splice` does, which makes an array of what it takes out each time. */
function insertAt<Item>(items: Item[], place: number, item: Item): void {
  items.push(item)
  items.copyWithin(place + 1, place, items.length - 1)
  items[place] = item
}

function firstNotBelow(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}

/** The child below which the key belongs. */
function childPlace(keys: readonly string[], key: string): number {
  let low = 1
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] as string) <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}
