/** By which way an event came in, and from which peer: never its author. */
export interface EventSource {
  /** `own`: signed here. `import`: from a file that the operator named. */
  readonly via: 'gossip' | 'sync' | 'http' | 'own' | 'import'
  /** The PeerId that passed the event on, or the address of an HTTP client. */
  readonly peer?: string
  /** The namespace of the gossip topic or sync session; an event of another one does not belong there. */
  readonly namespace?: string
  /** It waited for a key or a predecessor: its sender was charged when it came. */
  readonly waited?: true
}
