import type { SubscriptionStats } from '../subscriptions/ports.ts'
import type { KeptFigure } from './node-metrics.ts'

/** What metrics show of those who follow rows. */
export function subscriptionFigures(stats: () => SubscriptionStats): readonly KeptFigure[] {
  const endedAs = (code: string): number => stats().ended[code] ?? 0
  return [
    { name: 'subscribers', type: 'gauge', help: 'Subscriptions that are open.', read: () => stats().subscribers },
    {
      name: 'subscription_channels',
      type: 'gauge',
      help: 'Sets of rows that somebody follows.',
      read: () => stats().channels
    },
    {
      name: 'subscription_frames_sent_total',
      type: 'counter',
      help: 'Frames, each counted for every subscriber that it was handed to.',
      read: () => stats().framesSent
    },
    {
      name: 'subscriptions_opened_total',
      type: 'counter',
      help: 'Subscriptions that began.',
      read: () => stats().opened
    },
    {
      name: 'subscriptions_ended_total',
      type: 'counter',
      help: 'Subscriptions that the node ended, for whatever reason.',
      read: () => Object.values(stats().ended).reduce((sum, count) => sum + count, 0)
    },
    {
      name: 'subscriptions_too_slow_total',
      type: 'counter',
      help: 'Of these, those whose connection took less than there was to send.',
      read: () => endedAs('CONSUMER_TOO_SLOW')
    }
  ]
}
