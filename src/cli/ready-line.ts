/** What `anchormesh start` says of the node once it serves. */
export interface ReadyNode {
  readonly did: string
  readonly peerId: string
  /** Where other nodes can dial it, with `/p2p/…`. */
  readonly multiaddrs: readonly string[]
  /** URLs of the two listeners. */
  readonly http: string
  readonly admin: string
}

const WORD = 'ready'

/** The one line that `start` prints on standard output: `ready` and an object. */
export function readyLine(node: ReadyNode): string {
  return `${WORD} ${JSON.stringify(node)}`
}

/** Reads such a line; null for another one. */
export function readReadyLine(line: string): ReadyNode | null {
  return line.startsWith(`${WORD} {`) ? (JSON.parse(line.slice(WORD.length + 1)) as ReadyNode) : null
}
