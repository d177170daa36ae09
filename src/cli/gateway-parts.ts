import type { PublicListenerOptions } from '../http/public-listener.ts'
import type { NodeMetrics } from '../metrics/node-metrics.ts'
import type { AnchormeshNode } from '../node.ts'

type GatewayParts = Pick<PublicListenerOptions, 'operations'> &
  Required<
    Pick<
      PublicListenerOptions,
      'packs' | 'access' | 'subscriptions' | 'federation' | 'findings' | 'readiness' | 'revision' | 'audit' | 'metrics'
    >
  >

/** All that a node has for its public listener. Where it listens, and for whom, the configuration says. */
export function gatewayParts(node: AnchormeshNode, metrics: NodeMetrics): GatewayParts {
  const { gateway, packServing: packs, auditTrail: audit } = node
  const { access, subscriptions, federation, findings, readiness, revision } = gateway
  const { requests, contentType } = metrics
  return {
    operations: node,
    packs,
    access,
    subscriptions,
    federation,
    findings,
    readiness,
    revision,
    audit,
    metrics: { requests, contentType, text: () => metrics.exposition(node) }
  }
}
