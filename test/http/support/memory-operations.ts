import { AUDIT_GENESIS, sealAuditRecord } from '../../../protocols/audit/v1/record.ts'
import type { AuditRecord } from '../../../protocols/audit/v1/record.ts'
import type { JsonObject, JsonValue } from '../../../protocols/canonical-json/v1/json.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type {
  AnchoringResult,
  EventsQuery,
  LoggedEvent,
  NodeStatus,
  Operations,
  ProjectionPage,
  SubmitOutcome,
  SyncResult
} from '../../../src/operations.ts'
import { AnchormeshError } from '../../../src/platform/errors.ts'
import { noPacks } from './memory-packs.ts'
import { memoryTokens } from './memory-tokens.ts'

/** What a node holds that is only this: a list of events, and batches by their id. */
export interface MemoryNode extends Operations {
  readonly log: LoggedEvent[]
  readonly sealed: Map<string, readonly JsonValue[]>
  /** Logs an event of this content and wakes followers. */
  append(wire: Uint8Array, namespace?: string): LoggedEvent
  /** How many readers wait for the next event. */
  followers(): number
}

export const NAMESPACE = 'dao:test'

/**
 * A deterministic stand-in for a node: the port `Operations` over a list in memory. `overrides` replace single
 * operations.
 */
export function memoryNode(overrides: Partial<Operations> = {}): MemoryNode {
  const log: LoggedEvent[] = []
  const sealed = new Map<string, readonly JsonValue[]>()
  const waiting = new Set<() => void>()

  const append = (wire: Uint8Array, namespace: string = NAMESPACE): LoggedEvent => {
    const logged: LoggedEvent = {
      logSeq: log.length + 1,
      scope: 'shared',
      id: sha256Hex(wire),
      bytes: toBase64url(wire),
      event: { namespace, type: 'announce' }
    }
    log.push(logged)
    for (const wake of waiting) wake()
    return logged
  }

  const submit = (wire: Uint8Array): SubmitOutcome => {
    const id = sha256Hex(wire)
    const known = log.find((logged) => logged.id === id)
    if (known !== undefined) return { outcome: 'duplicate', id, logSeq: known.logSeq }
    if (wire.length > 49_152)
      return {
        outcome: 'rejected',
        code: 'EVENT_TOO_LARGE',
        detail: `${wire.length} bytes`,
        id: null
      }
    if (wire.length === 0) return { outcome: 'rejected', code: 'MALFORMED', detail: 'no bytes', id: null }
    return { outcome: 'accepted', id, logSeq: append(wire).logSeq }
  }

  const batch = (namespace: string, batchId: string): readonly JsonValue[] => {
    const receipts = sealed.get(`${namespace} ${batchId}`)
    if (receipts === undefined)
      throw new AnchormeshError('BATCH_UNKNOWN', `no batch ${batchId}`, { hint: 'seal it first' })
    return receipts
  }

  const audited = auditedRecords()
  const logName = { origin: 'did:key:z6MkTest#z6MkTest', epoch: '00112233445566ff' }
  const published = { id: sha256Hex('published'), logSeq: 7, recipients: 2 }

  return {
    log,
    sealed,
    append,
    followers: () => waiting.size,
    backup: ({ directory }) =>
      Promise.resolve({ directory, epoch: '0', logSeq: 0, headHash: '', files: 0, bytes: 0, warnings: [] }),
    reloadConfig: () => Promise.resolve({ changes: [], isNewPolicy: false }),
    ...noPacks(),
    ...memoryTokens(),
    status: async () => status(log.length),
    async *audit({ limit = audited.length }) {
      yield* audited.slice(0, limit)
    },
    verifyAudit: async (onProgress) => {
      onProgress?.({ done: 2, total: 2, unit: 'audit records' })
      const [headSeq, headHash] = [audited.length, audited.at(-1)?.hash ?? '']
      return { ok: true, records: headSeq, baseSeq: 0, headSeq, headHash, problems: [], problemCount: 0 }
    },
    async *events(query, signal) {
      let position = query.after ?? 0
      let left = query.limit ?? Infinity
      for (;;) {
        for (const logged of log.filter(({ logSeq }) => logSeq > position)) {
          if (signal?.aborted === true || left === 0) return
          position = logged.logSeq
          if (!passes(logged, query)) continue
          left -= 1
          yield logged
        }
        if (query.follow !== true || left === 0 || signal?.aborted === true) return
        await next(waiting, signal)
      }
    },
    logCheckpoint: async () => ({
      note: 'did:key:z6MkTest#z6MkTest\n7\n',
      ...logName,
      size: 7,
      root: sha256Hex('root'),
      verifierKey: 'did:key:z6MkTest#z6MkTest+00000000+AQ=='
    }),
    logInclusion: async ({ logSeq, size = 7 }) => {
      if (logSeq > 7) throw new AnchormeshError('NOT_FOUND', 'the log has 7 records')
      const hash = sha256Hex(`leaf ${logSeq}`)
      const root = sha256Hex('root')
      return { ...logName, logSeq, size, root, leafHash: hash, recordHash: hash, proof: [hash], record: null }
    },
    logConsistency: async ({ from, to }) => {
      const root = sha256Hex('root')
      return { ...logName, from, fromRoot: root, to, toRoot: root, proof: [root] }
    },
    checkCheckpoint: async ({ note, proof = [] }) => {
      if (note === '') throw new AnchormeshError('CHECKPOINT_INVALID', 'this is no checkpoint')
      const detail = `${proof.length} hashes`
      const root = sha256Hex('root')
      return { ...logName, size: 7, root, outcome: 'consistent', code: null, detail, keptSize: 7 }
    },
    event: async (id) => log.find((logged) => logged.id === id) ?? null,
    query: async (projection, query) => page(projection, { ...query }, log.length),
    digest: async (namespace) => {
      if (namespace !== NAMESPACE) throw new AnchormeshError('NOT_FOUND', `this node does not carry ${namespace}`)
      const hash = sha256Hex(String(log.length))
      return {
        namespace,
        logSeq: log.length,
        count: log.length,
        membershipDigest: hash,
        events: hash,
        state: hash,
        projections: { batches: hash },
        winners: { digest: hash, policyDigest: hash, verdictSetDigest: hash }
      }
    },
    submit: async (wire) => submit(wire),
    seal: async ({ namespace, batchId, receipts }) => {
      const key = `${namespace} ${batchId}`
      if (sealed.has(key))
        throw new AnchormeshError('BATCH_EXISTS', `batch ${batchId} is sealed already`, { hint: 'choose another id' })
      const held: JsonValue[] = []
      for await (const receipt of receipts) held.push(receipt)
      if (held.length === 0) throw new AnchormeshError('RECEIPTS_INVALID', 'there are no receipts')
      sealed.set(key, held)
      return {
        namespace,
        owner: 'org',
        batchId,
        batchRoot: sha256Hex(JSON.stringify(held)),
        receiptCount: held.length,
        logSeq: 3
      }
    },
    async *proofs(namespace, batchId) {
      const receipts = batch(namespace, batchId)
      for (const [index, receipt] of receipts.entries()) {
        const record = JSON.stringify(receipt)
        const hash = sha256Hex(record)
        yield {
          namespace,
          owner: 'org',
          batchId,
          batchRoot: hash,
          index,
          treeSize: receipts.length,
          leafHash: hash,
          path: [hash],
          record
        }
      }
    },
    proof: async ({ namespace, batchId, leafHash }) => ({
      namespace,
      owner: 'org',
      batchId,
      batchRoot: leafHash,
      leafHash,
      index: 0,
      standing: 'unproven',
      reason: 'no-timestamp-anchor',
      provenTime: null,
      chainId: null,
      proof: JSON.stringify(batch(namespace, batchId))
    }),
    announce: async ({ namespace, batchId }) => {
      batch(namespace, batchId)
      return published
    },
    anchor: ({ namespace, batchId, chainId = 'rfc3161:test' }) => {
      batch(namespace, batchId)
      return Promise.resolve(anchored(namespace, batchId, chainId))
    },
    upgradeAnchors: (query, onProgress) => {
      onProgress?.({ done: 1, total: 1, unit: 'batches' })
      return Promise.resolve([anchored(query.namespace ?? NAMESPACE, 'b1', 'btc:mainnet')])
    },
    splitAnchors: ({ namespace, batchId, chainId }) =>
      Promise.resolve([anchored(namespace, batchId, chainId), anchored(namespace, batchId, 'btc:mainnet')]),
    importProof: ({ namespace, batchId, proof }) =>
      Promise.resolve({ ...anchored(namespace, batchId, 'btc:mainnet'), detail: proof }),
    handIn: async ({ namespace, receipts }) => {
      const receiptHashes: string[] = []
      for await (const receipt of receipts) receiptHashes.push(sha256Hex(JSON.stringify(receipt)))
      return { namespace, receiptHashes, queued: receiptHashes.length, nextSealAt: 1_700_000_000_000 }
    },
    fetchBundles: ({ namespace }) =>
      Promise.resolve({ namespace, batches: 0, held: 0, missing: 0, asked: 0, failures: {} }),
    forget: ({ receipt }) => Promise.resolve({ receipt, places: 1 }),
    planPackSync: async () => ({ entries: [] }),
    pullPacks: async () => [],
    pushPacks: async () => [],
    publishPack: async () => ({ ...published, orgId: 'org', packSeq: 1, packHash: sha256Hex('pack') }),
    verifyLog: async (onProgress) => {
      onProgress?.({ done: 1, total: log.length, unit: 'records' })
      return { ok: true, records: log.length, headHash: sha256Hex('head'), problems: [], problemCount: 0 }
    },
    verifyOnline: async (_query, onProgress) => {
      onProgress?.({ done: 1, total: 2, unit: 'timestamp anchors' })
      return { rails: [], lost: [], lostCount: 0, unconfirmed: 0 }
    },
    rebuild: async (onProgress) => {
      onProgress?.({ done: 1, total: null, unit: 'records' })
      const hash = sha256Hex('rows')
      return [
        { projection: 'batches', version: 1, logSeq: log.length, rows: 2, before: hash, after: hash, identical: true }
      ]
    },
    async *exportEvents(namespace) {
      for (const { bytes, event } of log) {
        if (namespace === undefined || event['namespace'] === namespace)
          yield new Uint8Array(Buffer.from(bytes, 'base64url'))
      }
    },
    importEvents: async (events, onProgress) => {
      const counts = { read: 0, accepted: 0, duplicate: 0, pending: 0 }
      const refused: Record<string, number> = {}
      for await (const wire of events) {
        counts.read += 1
        const outcome = submit(wire)
        if ('code' in outcome) refused[outcome.code] = (refused[outcome.code] ?? 0) + 1
        else counts[outcome.outcome] += 1
        onProgress?.({ done: counts.read, total: null, unit: 'events' })
      }
      return { ...counts, refused }
    },
    sync: async ({ namespace, peer = 'did:key:z6MkOther' }, onProgress) => {
      onProgress?.({ done: 3, total: null, unit: 'events' })
      return [syncResult(peer, namespace)]
    },
    ...overrides
  }
}

function anchored(namespace: string, batchId: string, chainId: string): AnchoringResult {
  return {
    namespace,
    batchId,
    batchRoot: sha256Hex('root'),
    chainId,
    state: 'under-way',
    evidenceId: null,
    eventId: null,
    code: 'TSA_REQUEST_FAILED',
    detail: 'could not be reached',
    lookAgainAt: 1_700_000_005_000,
    together: [chainId]
  }
}

function passes({ scope, event }: LoggedEvent, query: EventsQuery): boolean {
  if (query.scope !== 'all' && scope !== (query.scope ?? 'shared')) return false
  return query.namespace === undefined || event['namespace'] === query.namespace
}

/** One row that says what was asked, so that a test sees what arrived. */
function page(projection: string, query: JsonObject, logSeq: number): ProjectionPage {
  if (projection !== 'batches')
    throw new AnchormeshError('UNKNOWN_PROJECTION', `there is no projection ${projection}`, {
      hint: 'there are: batches'
    })
  return { projection, version: 1, epoch: 'e1', logSeq, rows: [{ asked: query }], nextCursor: null }
}

function syncResult(did: string, namespace: string): SyncResult {
  return {
    did,
    namespace,
    end: 'synced',
    detail: null,
    sessions: 1,
    rounds: 2,
    bytesSent: 90,
    bytesReceived: 1_000,
    eventsSent: 0,
    eventsAccepted: 3,
    eventsDuplicate: 0,
    eventsPending: 1,
    eventsRefused: { SIGNER_NOT_MEMBER: 2 },
    membershipDiffers: true,
    tookMs: 12
  }
}

function status(logSeq: number): NodeStatus {
  return {
    did: 'did:key:z6MkTest',
    orgId: 'org',
    kid: 'z6MkTest',
    version: '0.1.0',
    startedAt: 1_700_000_000_000,
    uptimeMs: 5,
    health: { ok: true, reasons: [] },
    warnings: [],
    log: { logSeq, epoch: 'e1', headHash: sha256Hex('head'), storeBytes: 10, bytesPerEvent: 5 },
    namespaces: [
      { namespace: '_trust', members: 2, events: 0 },
      { namespace: NAMESPACE, members: 2, events: logSeq }
    ],
    projections: [{ name: 'batches', version: 1, logSeq, state: 'live' }],
    ingest: { outcomes: { accepted: logSeq }, signaturesVerified: logSeq, pending: { events: 0, bytes: 0 } },
    verification: {
      undecided: 2,
      waiting: 1,
      running: 1,
      rechecks: 3,
      unconfirmed: 1,
      unconfirmedSince: 1_700_000_000_000,
      isBehind: false,
      providers: [
        {
          verifier: 'bitcoin',
          name: 'esplora.example',
          asked: 9,
          failed: 2,
          failure: {
            code: 'PROVIDER_TIMEOUT',
            detail: 'esplora.example gave no whole answer',
            at: 1_700_000_000_500,
            since: 1_700_000_000_000
          }
        }
      ]
    },
    audit: {
      records: 2,
      oldest: 1_700_000_000_000,
      newest: 1_700_000_000_500,
      queue: 0,
      lost: 0,
      fault: null,
      damage: null,
      syslog: { collector: 'logs.example:6514', state: 'waiting', behind: 2, missed: 0, lastError: 'away' }
    },
    anchoring: {
      underWay: 1,
      failed: 0,
      jobs: [anchored(NAMESPACE, 'b1', 'btc:mainnet')],
      sealing: [{ namespace: NAMESPACE, receipts: 3, bytes: 300, nextSealAt: 1_700_000_060_000, problem: null }]
    },
    receipts: { missing: 0, batches: 0, oldestMs: null, namespaces: [], served: {} },
    findings: { telemetry: 1, REPLAY: 2 },
    network: {
      peerId: '12D3KooWTest',
      multiaddrs: ['/ip4/127.0.0.1/tcp/4088'],
      peers: [
        { did: 'did:key:z6MkOther', peerId: '12D3KooWOther', connected: true, connections: [], score: 1.5 },
        { did: 'did:key:z6MkLoud', peerId: '12D3KooWLoud', connected: false, connections: [], shutOut: true }
      ],
      topics: { [NAMESPACE]: { mesh: 1, subscribers: 1 } },
      gossip: { judged: 1, dropped: 0, late: 0, published: 1 },
      refusedConnections: 0
    },
    sync: [
      {
        did: 'did:key:z6MkOther',
        namespace: NAMESPACE,
        isRunning: false,
        nextAt: 1_700_000_060_000,
        last: {
          at: 1_700_000_000_000,
          end: 'equal',
          detail: null,
          rounds: 1,
          bytes: 90,
          sent: 0,
          received: 0,
          membershipDiffers: false
        },
        total: { sessions: 3, rounds: 4, bytes: 4_200, sent: 1, received: 2, duplicate: 0 }
      }
    ]
  }
}

function next(waiting: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      waiting.delete(wake)
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    waiting.add(wake)
    signal?.addEventListener('abort', wake, { once: true })
  })
}

function auditedRecords(): readonly AuditRecord[] {
  const content = {
    at: 1_700_000_000_000,
    requestId: 'r1',
    action: 'KEY_ADDED',
    actor: 'operator',
    subject: 'kid-1',
    outcome: 'ok',
    code: null,
    detail: { uses: 'event', count: 1, first: true, before: null }
  } as const
  const { record } = sealAuditRecord({ ...content, seq: 1, prev: AUDIT_GENESIS })
  return [record, sealAuditRecord({ ...content, seq: 2, prev: record.hash, code: 'X', outcome: 'refused' }).record]
}
