import { Column } from './column.ts'

/** As `SimulatedNode.state` has them; the column `state` holds places in this list. */
export const NODE_STATES = ['off', 'starting', 'running', 'paused'] as const

const FIGURES = [
  'state',
  'connections',
  'eventsHeld',
  'winners',
  'bytesSent',
  'bytesReceived',
  'messagesSent',
  'messagesReceived',
  'gossipReceived',
  'gossipDuplicates',
  'gossipDelivered',
  'syncSessions',
  'syncRounds'
] as const

/** What was seen of each node at each sample, one column for each figure. */
export type NodeSamples = Readonly<Record<(typeof FIGURES)[number], Column>>

export function emptyNodeSamples(): NodeSamples {
  return Object.fromEntries(FIGURES.map((name) => [name, new Column()])) as NodeSamples
}
