import { z } from 'zod'
import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import type {
  EventsQuery,
  LoggedEvent,
  Operations,
  ProgressListener,
  SealRequest,
  SealedBatch,
  SubmitOutcome
} from '../operations.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { AdminTransport } from './admin-transport.ts'
import type { AdminAddress, AdminRequest } from './admin-transport.ts'
import { auditClient } from './audit-client.ts'
import { backupMade } from './backup-schemas.ts'
import { configReloaded } from './config-schemas.ts'
import { failureOfProblem } from './errors.ts'
import { FRAMES_MEDIA_TYPE, frameOf, readFrames } from './frames.ts'
import { LINES_MEDIA_TYPE } from './lines.ts'
import { logProofClient } from './log-proof-client.ts'
import * as anchoringSchemas from './anchoring-schemas.ts'
import { createPackClient } from './pack-client.ts'
import { builtProof } from './proof-schemas.ts'
import { packSyncClient } from './pack-sync-client.ts'
import * as schemas from './schemas.ts'
import { tokenClient } from './token-client.ts'
import { onlineVerification } from './verification-schemas.ts'

/** The operations of a node that runs in another process, and its end. */
export interface AdminClient extends Operations {
  /** Asks the node to stop; resolves when it has said that it will. */
  shutdown(): Promise<void>
}

/**
 * The operations of the node whose admin listener is at `address`. What the node throws is thrown here with the same code,
 * message, hint and detail; besides that `ADMIN_TOKEN_INVALID`, and `NODE_NOT_RUNNING` when it does not answer or
 * breaks off.
 * Streams are read as they are consumed, and end the request when their consumer stops.
 */
export function createAdminClient(address: AdminAddress): AdminClient {
  const transport = new AdminTransport(address)
  return {
    ...auditClient(transport),
    ...logProofClient(transport),
    ...tokenClient(transport),
    status: () => transport.json(schemas.nodeStatus, { method: 'GET', path: 'status' }),
    backup: (request, onProgress) =>
      work(
        transport,
        backupMade,
        { method: 'POST', path: 'backup', body: { type: 'application/json', content: JSON.stringify(request) } },
        onProgress
      ),
    reloadConfig: () => transport.json(configReloaded, { method: 'POST', path: 'config/reload' }),
    events: (query, signal) => streamEvents(transport, query, signal),
    event: (id) => findEvent(transport, id),
    query: (projection, query) => {
      const path = `projections/${encodeURIComponent(projection)}`
      return transport.json(schemas.projectionPage, {
        method: 'GET',
        path,
        query: { ...query, include: query.include?.join(',') }
      })
    },
    digest: (namespace) => transport.json(schemas.digest, { method: 'GET', path: 'digest', query: { namespace } }),
    submit: (wire) => submit(transport, wire),
    seal: (request) => seal(transport, request),
    async *proofs(namespace, batchId) {
      const answered = await transport.send({ method: 'GET', path: 'batches/proofs', query: { namespace, batchId } })
      yield* transport.lines(schemas.receiptProof, answered)
    },
    proof: (request) =>
      transport.json(builtProof, {
        method: 'POST',
        path: 'receipts/proof',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    announce: (request) =>
      transport.json(schemas.published, {
        method: 'POST',
        path: 'batches/announcements',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    anchor: (request) =>
      transport.json(anchoringSchemas.anchoringResult, {
        method: 'POST',
        path: 'anchors',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    upgradeAnchors: ({ namespace }, onProgress) =>
      work(
        transport,
        anchoringSchemas.anchoringResults,
        { method: 'POST', path: 'anchors/upgrade', query: { namespace } },
        onProgress
      ),
    splitAnchors: (request) =>
      transport.json(anchoringSchemas.anchoringResults, {
        method: 'POST',
        path: 'anchors/split',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    importProof: (request) =>
      transport.json(anchoringSchemas.anchoringResult, {
        method: 'POST',
        path: 'anchors/proofs',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    handIn: ({ namespace, receipts }) =>
      work(transport, anchoringSchemas.handInResult, {
        method: 'POST',
        path: 'receipts',
        query: { namespace },
        body: { type: LINES_MEDIA_TYPE, content: receiptLines(receipts) }
      }),
    ...createPackClient(transport),
    ...packSyncClient((...call) => work(transport, ...call), transport),
    fetchBundles: (query, onProgress) =>
      work(
        transport,
        schemas.fetchedBundles,
        { method: 'POST', path: 'bundles/fetch', query: { ...query } },
        onProgress
      ),
    forget: (request) =>
      transport.json(schemas.forgottenReceipt, {
        method: 'POST',
        path: 'receipts/forget',
        body: { type: 'application/json', content: JSON.stringify(request) }
      }),
    verifyLog: (onProgress) =>
      work(transport, schemas.logVerification, { method: 'POST', path: 'log/verify' }, onProgress),
    verifyOnline: (query, onProgress) =>
      work(transport, onlineVerification, { method: 'POST', path: 'verify-online', query: { ...query } }, onProgress),
    rebuild: (onProgress) =>
      work(transport, schemas.rebuiltProjections, { method: 'POST', path: 'log/rebuild' }, onProgress),
    async *exportEvents(namespace) {
      const answered = await transport.send({ method: 'GET', path: 'log/export', query: { namespace } })
      yield* readFrames(transport.chunks(answered))
    },
    importEvents: (events, onProgress) =>
      work(
        transport,
        schemas.importResult,
        { method: 'POST', path: 'log/import', body: { type: FRAMES_MEDIA_TYPE, content: framesOf(events) } },
        onProgress
      ),
    sync: ({ namespace, peer }, onProgress) =>
      work(
        transport,
        schemas.syncResults,
        { method: 'POST', path: 'sync', query: { namespace, ...(peer === undefined ? {} : { peer }) } },
        onProgress
      ),
    shutdown: async () => {
      await transport.json(schemas.stopping, { method: 'POST', path: 'shutdown' })
    }
  }
}

async function* streamEvents(
  transport: AdminTransport,
  query: EventsQuery,
  signal: AbortSignal | undefined
): AsyncGenerator<LoggedEvent> {
  const request: AdminRequest = { method: 'GET', path: 'events', query: { ...query } }
  try {
    const answered = await transport.send(signal === undefined ? request : { ...request, signal })
    yield* transport.lines(schemas.loggedEvent, answered)
  } catch (error) {
    // The signal is the way to end a stream, not a failure of it.
    if (signal?.aborted !== true) throw error
  }
}

async function findEvent(transport: AdminTransport, id: string): Promise<LoggedEvent | null> {
  try {
    return await transport.json(schemas.loggedEvent, { method: 'GET', path: `events/${encodeURIComponent(id)}` })
  } catch (error) {
    if (error instanceof AnchormeshError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

async function submit(transport: AdminTransport, wire: Uint8Array): Promise<SubmitOutcome> {
  const body = { type: 'application/octet-stream', content: wire }
  const answer = await transport.exchange({ method: 'POST', path: 'events', body })
  if (answer.ok) return await transport.value(schemas.submitOutcome, answer)
  const { outcome, code, detail, id = null } = answer.problem
  if (outcome === undefined) throw failureOfProblem(answer.problem)
  return { outcome, code, detail, id }
}

async function seal(transport: AdminTransport, request: SealRequest): Promise<SealedBatch> {
  const { namespace, batchId, receipts } = request
  return await work(transport, schemas.sealedBatch, {
    method: 'POST',
    path: 'batches',
    query: { namespace, batchId },
    body: { type: LINES_MEDIA_TYPE, content: receiptLines(receipts) }
  })
}

/** Long work: tells of its progress and returns its result. */
async function work<Result>(
  transport: AdminTransport,
  result: z.ZodType<Result>,
  request: AdminRequest,
  onProgress?: ProgressListener
): Promise<Result> {
  const line = z.union([z.object({ progress: schemas.progress }), z.object({ result })])
  let last: { readonly result: Result } | null = null
  for await (const told of transport.lines(line, await transport.send(request))) {
    if ('result' in told) last = told
    else onProgress?.(told.progress)
  }
  if (last === null) throw new AnchormeshError('INTERNAL', `the answer to ${request.path} has no result`)
  return last.result
}

/** Receipts in canonical form, so that the node gets what was meant or nothing. Throws `RECEIPTS_INVALID`. */
async function* receiptLines(receipts: AsyncIterable<JsonValue> | Iterable<JsonValue>): AsyncGenerator<Uint8Array> {
  let index = 0
  for await (const receipt of receipts) {
    yield utf8(`${canonical(receipt, index)}\n`)
    index += 1
  }
}

function canonical(receipt: JsonValue, index: number): string {
  try {
    return encodeCanonical(receipt)
  } catch (error) {
    const message = `receipt ${index + 1}: ${messageOf(error)}`
    throw new AnchormeshError('RECEIPTS_INVALID', message, { detail: { index }, cause: error })
  }
}

async function* framesOf(events: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const wire of events) yield frameOf(wire)
}
