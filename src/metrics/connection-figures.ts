import type { ConnectionCounts } from '../http/connection-cap.ts'
import type { MetricDefinition } from './definition.ts'

/** What listeners serve connections. */
export type ServedListeners = Readonly<Record<'http' | 'admin', { connections(): ConnectionCounts } | null>>

/** What metrics show of the connections to a node's HTTP listeners; where one address has both, all are of `http`. */
export function connectionFigures(listeners: () => ServedListeners): readonly MetricDefinition<void>[] {
  const by = (read: (counts: ConnectionCounts) => number): MetricDefinition<void>['samples'] => {
    return () =>
      Object.entries(listeners()).map(([listener, served]) => ({
        labels: { listener },
        value: served === null ? 0 : read(served.connections())
      }))
  }
  const labels = ['listener']
  return [
    {
      name: 'http_connections',
      type: 'gauge',
      help: 'Connections that a listener serves.',
      labels,
      samples: by(({ open }) => open)
    },
    {
      name: 'http_connections_refused_total',
      type: 'counter',
      help: 'Connections beyond the caps of a listener.',
      labels,
      samples: by(({ refused }) => refused)
    }
  ]
}
