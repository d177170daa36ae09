import type { LogProofOperations } from '../transparency/log-proof-operations.ts'
import type { AdminTransport } from './admin-transport.ts'
import * as proofs from './log-proof-schemas.ts'

/** The operations of the log as a transparency log, by the admin listener. */
export function logProofClient(transport: AdminTransport): LogProofOperations {
  return {
    logCheckpoint: () => transport.json(proofs.logCheckpoint, { method: 'GET', path: 'log/checkpoint' }),
    logInclusion: (query) =>
      transport.json(proofs.logInclusion, { method: 'GET', path: 'log/inclusion', query: { ...query } }),
    logConsistency: (query) =>
      transport.json(proofs.logConsistency, { method: 'GET', path: 'log/consistency', query: { ...query } }),
    checkCheckpoint: (request) =>
      transport.json(proofs.checkpointCheck, {
        method: 'POST',
        path: 'log/checkpoint/check',
        body: { type: 'application/json', content: JSON.stringify(request) }
      })
  }
}
