import { z } from 'zod'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { LOG_LEVELS } from '../platform/logger.ts'
import { PEER_ID_PATTERN } from './names.ts'
import { rails } from './rails-schema.ts'
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  count,
  did,
  entriesOf,
  hash,
  httpUrl,
  kid,
  listOf,
  listenAddress,
  milliseconds,
  multiaddr,
  namespace,
  orgId,
  tenant,
  text
} from './schema-values.ts'

/**
 * The two configuration files as `CONTRACT.md` section 7 names their keys: `federation.yaml` (this node and what it
 * carries) and `peers.yaml` (who the others are). Schemas are strict: an unknown key is an error. A key that is left
 * out takes its default, so the parsed value is always whole.
 */

/** The rights that a namespace grants: publish announcements, serve bundles, ask for bundles. */
export const ROLES = ['announce', 'serve', 'request'] as const
/** One right. It needs both: the role in `peers.yaml` and the DID under the namespace in `federation.yaml`. */
export type Role = (typeof ROLES)[number]

const node = z.strictObject({
  did,
  orgId,
  listen: listOf(multiaddr, 'address').default(['/ip4/0.0.0.0/tcp/4088']),
  announce: listOf(multiaddr, 'address').default([]),
  bootstrap: listOf(multiaddr, 'address').default([]),
  mdns: z.boolean().default(false),
  // A process that holds the signing key in the place of keystore.json, by its socket.
  signer: text.regex(/^unix:.+$/, 'is not unix:PATH of a socket').exactOptional(),
  // The measurement of the attested environment that this node runs in: its announces name it.
  measurement: hash.exactOptional()
})

const http = z
  .strictObject({
    listen: listenAddress.default('127.0.0.1:8088'),
    tls: z.strictObject({ cert: text, key: text }).exactOptional(),
    mtls: z.enum(['off', 'required']).default('off'),
    corsOrigins: listOf(httpUrl, 'origin').default([]),
    // A thousand subscribers, and as many again who ask. Above a million the system would give out first.
    connectionsMax: count(1, 1_000_000).default(2_048)
  })
  .superRefine((value, context) => {
    if (value.mtls === 'required' && value.tls === undefined) {
      context.addIssue({ code: 'custom', path: ['mtls'], message: 'is required, but http.tls gives no certificate' })
    }
  })

const clock = z.strictObject({
  // Below a second, honest clocks that NTP keeps would be refused; above a day the bound protects nothing.
  futureSkewMs: milliseconds(SECOND_MS, DAY_MS).default(2 * MINUTE_MS),
  // Nonces are remembered for longer than this, so an hour is what a node may be asked to keep.
  requestSkewMs: milliseconds(SECOND_MS, HOUR_MS).default(5 * MINUTE_MS)
})

const members = z.strictObject({
  announce: listOf(did, 'DID').default([]),
  serve: listOf(did, 'DID').default([]),
  request: listOf(did, 'DID').default([])
})

// The names of chains as timestamp anchors spell them, and `*` for all of a rail.
const chainPattern = z
  .string()
  .regex(
    /^(?:btc:[a-z0-9][a-z0-9-]{0,31}|eip155:[1-9][0-9]{0,31}|rfc3161:[a-z0-9][a-z0-9._-]{0,63}|(?:btc|eip155|rfc3161):\*)$/,
    'is not a chain (btc:<network>, eip155:<chain id>, rfc3161:<tsa>, or * for all of a rail)'
  )

const finalityRule = z.strictObject({
  // Deeper than any reorganisation on record by four orders of magnitude; more can only be a typing slip.
  depth: count(0, 1_000_000).exactOptional(),
  tag: z.enum(['latest', 'safe', 'finalized']).exactOptional()
})

/** When an anchor on a chain is final: `depth` blocks on top of it, or under the chain's own `tag` (EVM only). */
export type FinalityRule = z.output<typeof finalityRule>

const finality = z
  .record(chainPattern, finalityRule)
  .superRefine((rules, context) => {
    for (const [chain, rule] of Object.entries(rules)) {
      const message = finalityProblem(chain, rule)
      if (message !== null) context.addIssue({ code: 'custom', path: [chain], message })
    }
  })
  // Six blocks is Bitcoin's custom; Ethereum says itself what is final; a time-stamp token is final as it stands.
  .default({ 'btc:*': { depth: 6 }, 'eip155:1': { tag: 'finalized' }, 'rfc3161:*': {} })

function finalityProblem(chain: string, rule: FinalityRule): string | null {
  if (chain.startsWith('eip155:')) {
    return (rule.depth === undefined) === (rule.tag === undefined) ? 'needs either depth or tag' : null
  }
  if (rule.tag !== undefined) return 'has a tag, which only eip155 chains know'
  return chain.startsWith('btc:') && rule.depth === undefined ? 'needs depth' : null
}

const quorum = z.strictObject({ k: count(1, 1_000), of: listOf(did, 'DID') }).superRefine((value, context) => {
  if (value.k > value.of.length) {
    context.addIssue({ code: 'custom', path: ['k'], message: `asks for ${value.k} of ${value.of.length}` })
  }
})

const rate = z.strictObject({
  // Events per minute, in buckets that hold one minute's worth. A whole mesh of busy signers comes through one peer…
  perPeer: count(1, 1_000_000).default(6_000),
  // …while one organisation seals a batch a second at the most.
  perSigner: count(1, 1_000_000).default(600),
  // What a namespace takes from all peers together: ten busy peers' worth, so that one namespace can't starve another.
  perNamespace: count(1, 10_000_000).default(60_000),
  // Events of one signer in a day: 80 MB at the usual 800 bytes, so that a runaway can't fill a disk overnight.
  dailyCap: count(1, 1_000_000_000).default(100_000)
})

const attestations = z.strictObject({
  required: z.boolean().default(false),
  measurements: listOf(hash, 'measurement').default([]),
  // For a signer that is listed here, its own measurements count in the place of those above.
  signers: z.record(did, listOf(hash, 'measurement')).default({})
})

const namespaceSettings = z.strictObject({
  tenant,
  members: members.prefault({}),
  finality,
  quorum: quorum.exactOptional(),
  rate: rate.prefault({}),
  attestations: attestations.prefault({}),
  // The only peers to open sync sessions with and to ask for receipts, the first first; all that are connected, if none
  // is named.
  routing: z.strictObject({ ask: listOf(did, 'DID').default([]) }).prefault({})
})

const sealing = z.strictObject({
  everyMs: milliseconds(SECOND_MS, 31 * DAY_MS).default(HOUR_MS),
  // A million leaves are what one batch's proofs and its import are measured with.
  maxReceipts: count(1, 1_000_000).default(100_000),
  rails: listOf(z.enum(['tsa', 'btc', 'evm']), 'rail').default([])
})

const audit = z
  .strictObject({
    // The collector that gets a copy of each record, by RFC 5424 over TLS.
    syslog: listenAddress.exactOptional(),
    // PEM files: whom the collector's certificate must lead to (those that Node knows, if none), and this node's own.
    syslogCa: text.exactOptional(),
    syslogCert: text.exactOptional(),
    syslogKey: text.exactOptional(),
    // A year is what auditors commonly ask for; a million records are about 400 MB.
    retentionMs: milliseconds(HOUR_MS, 3_660 * DAY_MS).default(365 * DAY_MS),
    maxRecords: count(1_000, 100_000_000).default(1_000_000)
  })
  .superRefine((value, context) => {
    if ((value.syslogCert === undefined) !== (value.syslogKey === undefined)) {
      const path = [value.syslogCert === undefined ? 'syslogCert' : 'syslogKey']
      context.addIssue({ code: 'custom', path, message: 'is missing: a certificate and its key go together' })
    }
  })

const keys = z.strictObject({
  // How old a signing key should get, and how long ahead of an end (of keys, packs and certificates) operators are told.
  rotateEveryMs: milliseconds(DAY_MS, 3_660 * DAY_MS).default(365 * DAY_MS),
  warnBeforeMs: milliseconds(HOUR_MS, 366 * DAY_MS).default(30 * DAY_MS)
})

/** `federation.yaml`: this node, what it carries, and by which rules. */
export const federationSchema = z.strictObject({
  v: z.literal(1),
  node,
  http: http.prefault({}),
  admin: z.strictObject({ listen: listenAddress.default('127.0.0.1:0') }).prefault({}),
  clock: clock.prefault({}),
  namespaces: z.record(namespace, namespaceSettings).default({}),
  rails: rails.prefault({}),
  sealing: z.record(namespace, sealing).default({}),
  // Often enough that a lost message is healed within a minute, seldom enough to cost an idle mesh nothing.
  sync: z.strictObject({ intervalMs: milliseconds(SECOND_MS, DAY_MS).default(MINUTE_MS) }).prefault({}),
  audit: audit.prefault({}),
  keys: keys.prefault({}),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).default('info'),
      // Seldom enough that checkpoints are a small part of the log, often enough that a rollback shows within the hour.
      checkpointMs: milliseconds(SECOND_MS, DAY_MS).default(10 * MINUTE_MS)
    })
    .prefault({}),
  store: z.strictObject({ encrypt: z.boolean().default(false) }).prefault({})
})

const peerKey = z.strictObject({
  kid,
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'is not a public key (32 bytes, base64url without padding)'),
  tenant: tenant.exactOptional()
})

/** One entry of `peers.yaml`; also what `anchormesh identity` prints. */
export const peerSchema = z.strictObject({
  did,
  orgId,
  peerId: z.string().regex(PEER_ID_PATTERN, 'is not a PeerId (such as 12D3KooW…)').exactOptional(),
  addresses: listOf(multiaddr, 'address').default([]),
  roles: listOf(z.enum(ROLES), 'role').default([]),
  keys: entriesOf(peerKey),
  certificatePins: listOf(hash, 'pin').default([])
})

const organisation = z.strictObject({
  orgId,
  threshold: count(1, 256).default(1),
  firstPack: hash.exactOptional(),
  // Packs that operators have compared by another way: each is the one at its number.
  pins: entriesOf(z.strictObject({ packSeq: count(1, Number.MAX_SAFE_INTEGER), hash })),
  // Where its packs can be had beside the mesh: http(s)://… of a node, or file:PATH.
  sources: listOf(
    text.refine((address) => address.startsWith('file:') || URL.canParse(address), 'is neither a URL nor file:PATH'),
    'source'
  ).default([])
})

const orgOrAny = z
  .string()
  .refine((value) => value === '*' || NAME_PATTERN.test(value), 'is neither an organisation id nor *')
const operation = z.string().regex(/^(?:\*|[a-z][a-z0-9-]{0,63})$/, 'is neither an operation nor *')

const crossOrgRule = z.strictObject({
  from: orgOrAny,
  to: orgOrAny,
  operations: listOf(operation, 'operation').min(1, 'is empty')
})

/** `peers.yaml`: who the others are, which keys are theirs, and what organisations may ask of each other. */
export const peersSchema = z.strictObject({
  v: z.literal(1),
  peers: entriesOf(peerSchema),
  organisations: entriesOf(organisation),
  crossOrg: z.strictObject({ allow: entriesOf(crossOrgRule) }).prefault({})
})

/** `federation.yaml`, validated, with every default filled in. */
export type FederationConfig = z.output<typeof federationSchema>
/** What `federation.yaml` says of one namespace. */
export type NamespaceConfig = FederationConfig['namespaces'][string]
/** How one namespace is sealed by schedule. */
export type SealingConfig = FederationConfig['sealing'][string]
/** `peers.yaml`, validated, with every default filled in. */
export type PeersConfig = z.output<typeof peersSchema>
/** One peer as `peers.yaml` describes it. */
export type PeerConfig = z.output<typeof peerSchema>
/** What `peers.yaml` says of one organisation. */
export type OrganisationConfig = PeersConfig['organisations'][number]
