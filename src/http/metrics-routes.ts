import { z } from 'zod'
import type { App } from './listener.ts'
import { requireOperator } from './reader.ts'
import type { RequestObserver } from './request-observer.ts'
import { documented } from './route-docs.ts'
import { noQuery } from './schemas.ts'

/** The metrics of the node, as a listener serves them. */
export interface MetricsServing {
  readonly requests: RequestObserver
  /** The media type of the text. */
  readonly contentType: string
  /** All series in the text format of Prometheus. */
  text(): Promise<string>
}

/** `GET /metrics`, for operators: it speaks of the node as a whole. */
export function registerMetrics(app: App, metrics: MetricsServing): void {
  app.get('/metrics', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'The metrics of the node',
        description: 'For operators, in the text format of Prometheus.',
        tag: 'operations',
        access: 'reader',
        answers: {},
        others: { 200: { description: 'All series.', mediaType: 'text/plain', schema: z.string() } }
      })
    },
    handler: async (request, reply) => {
      requireOperator(request, 'metrics')
      reply.header('cache-control', 'no-store')
      return await reply.type(metrics.contentType).send(await metrics.text())
    }
  })
}
