/** One namespace with one peer. */
export interface Job {
  readonly peerId: string
  readonly namespace: string
}

/** A name for maps; neither part holds a space. */
export const nameOf = ({ peerId, namespace }: Job): string => `${peerId} ${namespace}`
