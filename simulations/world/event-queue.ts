/** Something that happens at a virtual time. */
export interface QueuedEvent {
  /** Virtual time, integer microseconds since 1970. */
  readonly atUs: number
  /** Of events of one time the one that was queued first comes first. */
  readonly order: number
  run(): void
  cancelled: boolean
}

/** Below this many entries, cancelled ones are not worth looking for. */
const COMPACT_FROM = 1_024

/** Events in the order of (virtual time, queueing): a binary heap, from which cancelled ones fall out by and by. */
export class EventQueue {
  #heap: QueuedEvent[] = []
  #cancelled = 0
  #order = 0

  add(atUs: number, run: () => void): QueuedEvent {
    this.#order += 1
    const event: QueuedEvent = { atUs, order: this.#order, run, cancelled: false }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
    return event
  }

  /** Harmless for one that has happened. */
  cancel(event: QueuedEvent): void {
    if (event.cancelled) return
    event.cancelled = true
    this.#cancelled += 1
    if (this.#heap.length >= COMPACT_FROM && this.#cancelled > this.#heap.length / 2) this.#compact()
  }

  /** The next event, where it is not after `untilUs`; it leaves the queue. */
  takeUntil(untilUs: number): QueuedEvent | undefined {
    for (;;) {
      const [first] = this.#heap
      if (first === undefined) return undefined
      if (!first.cancelled && first.atUs > untilUs) return undefined
      this.#removeFirst()
      if (first.cancelled) this.#cancelled -= 1
      else {
        // Whoever cancels it from now on must not be counted.
        first.cancelled = true
        return first
      }
    }
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #compact(): void {
    this.#heap = this.#heap.filter(({ cancelled }) => !cancelled)
    this.#cancelled = 0
    for (let place = (this.#heap.length >> 1) - 1; place >= 0; place -= 1) this.#sink(place)
  }

  #rise(from: number): void {
    const heap = this.#heap
    const event = heap[from] as QueuedEvent
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = heap[parent] as QueuedEvent
      if (!isBefore(event, above)) break
      heap[place] = above
      place = parent
    }
    heap[place] = event
  }

  #sink(from: number): void {
    const heap = this.#heap
    const event = heap[from] as QueuedEvent
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      const right = child + 1
      if (right < heap.length && isBefore(heap[right] as QueuedEvent, heap[child] as QueuedEvent)) child = right
      const below = heap[child] as QueuedEvent
      if (!isBefore(below, event)) break
      heap[place] = below
      place = child
    }
    heap[place] = event
  }
}

const isBefore = (left: QueuedEvent, right: QueuedEvent): boolean =>
  left.atUs < right.atUs || (left.atUs === right.atUs && left.order < right.order)
