import type { NodeStatus, PeerSync } from '../operations.ts'
import type { NetworkStatus, PeerStatus } from '../network/network.ts'
import { bytes, duration, facts, figure, shortDid, shortHash, table, time } from './table.ts'

/** A node's status as a person reads it: a paragraph each for the node, what it carries, its projections, its mesh. */
export function statusText(status: NodeStatus): string {
  return [
    nodeText(status),
    carriedText(status),
    projectionsText(status),
    ingestText(status),
    verificationText(status),
    receiptsText(status),
    auditText(status),
    anchoringText(status),
    sealingText(status),
    meshText(status.network),
    syncText(status)
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function nodeText({ did, orgId, kid, version, uptimeMs, health, warnings, log, network }: NodeStatus): string {
  return facts([
    ['node', network === null ? 'not running; opened for this command' : `running for ${duration(uptimeMs)}`],
    ['health', health.ok ? 'ok' : health.reasons.join('; ')],
    ...warnings.map((warning) => ['warning', warning] as const),
    ['DID', did],
    ['organisation', orgId],
    ['signs with', kid],
    ['PeerId', network?.peerId],
    ['version', version],
    ['log', `position ${figure(log.logSeq)}, head ${shortHash(log.headHash)}, epoch ${log.epoch}`],
    ['store', `${bytes(log.storeBytes)}, ${figure(Math.round(log.bytesPerEvent))} B an event`]
  ])
}

function carriedText({ namespaces }: NodeStatus): string {
  return table(
    [
      { heading: 'NAMESPACE', cell: ({ namespace }) => namespace },
      { heading: 'MEMBERS', cell: ({ members }) => figure(members), align: 'right' },
      { heading: 'EVENTS', cell: ({ events }) => figure(events), align: 'right' }
    ],
    namespaces
  )
}

function projectionsText({ projections, log }: NodeStatus): string {
  const stateOf = ({ state, logSeq, reason }: NodeStatus['projections'][number]): string => {
    if (state === 'catching-up') return `catching up, ${figure(log.logSeq - logSeq)} to go`
    return reason === undefined ? state : `${state}: ${reason}`
  }
  return table(
    [
      { heading: 'PROJECTION', cell: ({ name }) => name },
      { heading: 'POSITION', cell: ({ logSeq }) => figure(logSeq), align: 'right' },
      { heading: 'STATE', cell: stateOf }
    ],
    projections
  )
}

function ingestText({ ingest }: NodeStatus): string {
  const { pending } = ingest
  const outcomes = Object.entries(ingest.outcomes).map(([name, count]) => `${name} ${figure(count)}`)
  return facts([
    ['ingest', outcomes.length === 0 ? 'nothing since the start' : outcomes.join(', ')],
    ['signatures verified', ingest.signaturesVerified === 0 ? null : figure(ingest.signaturesVerified)],
    ['waiting', pending.events === 0 ? null : `${figure(pending.events)} events, ${bytes(pending.bytes)}`]
  ])
}

/** Nothing while nothing is to be done and nobody is asked. */
function verificationText({ verification }: NodeStatus): string {
  const { undecided, waiting, running, rechecks, unconfirmed, isBehind, providers } = verification
  const inHand = [
    `${figure(undecided)} undecided`,
    `${figure(waiting)} of them put off`,
    `${figure(running)} asked about`
  ]
  const work = undecided + running === 0 ? null : `${inHand.join(', ')}${isBehind ? ', more to come' : ''}`
  const again = unconfirmed === 0 ? figure(rechecks) : `${figure(rechecks)}, ${figure(unconfirmed)} of them overdue`
  const asked = table(
    [
      { heading: 'PROVIDER', cell: ({ name }) => name },
      { heading: 'ASKED BY', cell: ({ verifier }) => verifier },
      { heading: 'REQUESTS', cell: (of) => figure(of.asked), align: 'right' },
      { heading: 'FAILED', cell: (of) => (of.failed === 0 ? null : figure(of.failed)), align: 'right' },
      { heading: 'NOW', cell: ({ failure }) => failure?.code ?? 'ok' },
      { heading: 'SINCE', cell: ({ failure }) => time(failure?.since) },
      { heading: 'WHY', cell: ({ failure }) => failure?.detail }
    ],
    providers
  )
  const summary = facts([
    ['timestamp anchors', work],
    ['to be looked at again', rechecks === 0 ? null : again]
  ])
  return [summary, providers.length === 0 ? '' : asked].filter((part) => part !== '').join('\n\n')
}

/** Nothing while nothing is missing, and nobody asked or reported. */
function receiptsText({ receipts, findings }: NodeStatus): string {
  const { missing, batches, oldestMs, served } = receipts
  const lacking = table(
    [
      { heading: 'RECEIPTS MISSING IN', cell: ({ namespace }) => namespace },
      { heading: 'RECEIPTS', cell: (of) => figure(of.missing), align: 'right' },
      { heading: 'BATCHES', cell: (of) => figure(of.batches), align: 'right' },
      { heading: 'OLDEST', cell: (of) => (of.oldestMs === null ? '' : duration(of.oldestMs)), align: 'right' }
    ],
    receipts.namespaces.filter((of) => of.missing > 0)
  )
  const answered = Object.entries(served).map(
    ([name, count]) => `${name === 'page' ? 'answered' : name} ${figure(count)}`
  )
  const tenants = Object.entries(findings).map(([name, count]) => `${name} ${figure(count)}`)
  const summary = facts([
    [
      'receipts missing',
      missing === 0
        ? null
        : `${figure(missing)}, in ${figure(batches)} batches, the oldest for ${duration(oldestMs ?? 0)}`
    ],
    ['requests for receipts', answered.length === 0 ? null : answered.join(', ')],
    ['for tenants', tenants.length === 0 ? null : tenants.join(', ')]
  ])
  return [summary, missing === 0 ? '' : lacking].filter((part) => part !== '').join('\n\n')
}

function auditText({ audit }: NodeStatus): string {
  if (audit === null) return ''
  const { records, oldest, newest, queue, lost, syslog } = audit
  return facts([
    ['audit', records === 0 ? 'no records' : `${figure(records)} records, ${time(oldest)} to ${time(newest)}`],
    ['audit waiting', queue === 0 ? null : `${figure(queue)} records`],
    ['audit lost', lost === 0 ? null : `the detail of ${figure(lost)} records`],
    ['syslog', syslog === null ? null : `${syslog.collector}: ${syslog.state}, ${figure(syslog.behind)} behind`],
    ['syslog missed', syslog === null || syslog.missed === 0 ? null : `${figure(syslog.missed)} records`],
    ['syslog error', syslog?.lastError]
  ])
}

/** Nothing while no evidence is being made. */
function anchoringText({ anchoring }: NodeStatus): string {
  const { underWay, failed, jobs } = anchoring
  if (jobs.length === 0) return ''
  const more = underWay + failed - jobs.length
  const rows = table(
    [
      { heading: 'ANCHORING', cell: ({ namespace }) => namespace },
      { heading: 'BATCH', cell: ({ batchId }) => batchId },
      { heading: 'CHAIN', cell: ({ chainId }) => chainId },
      { heading: 'STATE', cell: ({ state }) => state },
      { heading: 'WHY', cell: ({ code, detail }) => (code === null ? detail : `${code}: ${detail ?? ''}`) },
      { heading: 'NEXT LOOK', cell: ({ lookAgainAt }) => time(lookAgainAt) }
    ],
    jobs
  )
  return more === 0 ? rows : `${rows}\nand ${figure(more)} more: anchormesh query anchorings`
}

function sealingText({ anchoring }: NodeStatus): string {
  if (anchoring.sealing.length === 0) return ''
  return table(
    [
      { heading: 'SEALING BY SCHEDULE', cell: ({ namespace }) => namespace },
      { heading: 'WAITING', cell: ({ receipts }) => figure(receipts), align: 'right' },
      { heading: 'BYTES', cell: (of) => bytes(of.bytes), align: 'right' },
      { heading: 'NEXT', cell: ({ nextSealAt }) => time(nextSealAt) },
      { heading: 'NOTE', cell: ({ problem }) => problem }
    ],
    anchoring.sealing
  )
}

function meshText(network: NetworkStatus | null): string {
  if (network === null) return ''
  const topics = table(
    [
      { heading: 'TOPIC', cell: ([namespace]) => namespace },
      { heading: 'IN MESH', cell: ([, { mesh }]) => mesh, align: 'right' },
      { heading: 'SUBSCRIBED', cell: ([, { subscribers }]) => subscribers, align: 'right' }
    ],
    Object.entries(network.topics)
  )
  const { gossip, refusedConnections, multiaddrs } = network
  return [
    peersText(network.peers),
    topics,
    facts([
      [
        'gossip',
        Object.entries(gossip)
          .map(([what, count]) => `${figure(count)} ${what}`)
          .join(', ')
      ],
      ['connections refused', refusedConnections === 0 ? null : figure(refusedConnections)],
      ...multiaddrs.map((address, index) => [index === 0 ? 'listening on' : '', address] as const)
    ])
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function peersText(peers: readonly PeerStatus[]): string {
  if (peers.length === 0) return 'No peers yet: anchormesh peers add FILE'
  const stateOf = ({ connected, connections, nextDialAt }: PeerStatus): string => {
    if (connected) return connections.join(' ') || 'connected'
    return nextDialAt === undefined ? 'not connected' : `not connected, next dial ${time(nextDialAt)}`
  }
  return table(
    [
      { heading: 'PEER', cell: ({ did }) => shortDid(did) },
      { heading: 'PEERID', cell: ({ peerId }) => `…${peerId.slice(-8)}` },
      { heading: 'SCORE', cell: ({ score }) => score?.toFixed(1), align: 'right' },
      { heading: 'CONNECTION', cell: stateOf },
      { heading: 'NOTE', cell: ({ note }) => note }
    ],
    peers
  )
}

/** The last session with each peer over each namespace, whoever opened it. */
function syncText({ network, sync }: NodeStatus): string {
  if (network === null || sync.length === 0) return ''
  const endOf = ({ isRunning, last }: PeerSync): string => {
    const end = last === null ? 'none yet' : last.detail === null ? last.end : `${last.end}: ${last.detail}`
    return isRunning ? `${end}; under way` : end
  }
  return table(
    [
      { heading: 'SYNC WITH', cell: ({ did }) => shortDid(did) },
      { heading: 'NAMESPACE', cell: ({ namespace }) => namespace },
      { heading: 'LAST', cell: ({ last }) => time(last?.at) },
      { heading: 'END', cell: endOf },
      { heading: 'ROUNDS', cell: ({ last }) => last?.rounds, align: 'right' },
      { heading: 'BYTES', cell: ({ last }) => (last === null ? null : bytes(last.bytes)), align: 'right' },
      { heading: 'SENT', cell: ({ last }) => (last === null ? null : figure(last.sent)), align: 'right' },
      { heading: 'RECEIVED', cell: ({ last }) => (last === null ? null : figure(last.received)), align: 'right' },
      { heading: 'NEXT', cell: ({ nextAt }) => time(nextAt) },
      { heading: 'NOTE', cell: ({ last }) => (last?.membershipDiffers === true ? 'other members' : null) }
    ],
    sync
  )
}
