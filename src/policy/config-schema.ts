import { z } from 'zod'
import { BITCOIN_NETWORK_NAMES } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { NAME_PATTERN } from '../../protocols/event/v1/announce.ts'
import { DID_PATTERN, HASH_PATTERN, NAMESPACE_PATTERN, SIGNER_CHARS_MAX } from '../../protocols/event/v1/envelope.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'
import { LOG_LEVELS } from '../platform/logger.ts'
import { parseBitcoinProvider } from './bitcoin-provider.ts'
import { splitListen } from './listen-address.ts'
import { MULTIADDR_PATTERN, PEER_ID_PATTERN, TENANT_PATTERN } from './names.ts'
import { urlCredentials } from './url-credentials.ts'

/**
 * The two configuration files as `CONTRACT.md` section 7 names their keys: `federation.yaml` (this node and what it
 * carries) and `peers.yaml` (who the others are). Schemas are strict: an unknown key is an error. A key that is left
 * out takes its default, so the parsed value is always whole.
 */

/** The rights that a namespace grants: publish announcements, serve bundles, ask for bundles. */
export const ROLES = ['announce', 'serve', 'request'] as const
/** One right. It needs both: the role in `peers.yaml` and the DID under the namespace in `federation.yaml`. */
export type Role = (typeof ROLES)[number]

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Lists of names and addresses are written by people; far more entries than that is a mistake in a script. */
const LIST_ITEMS_MAX = 4_096
/** A path or URL beyond this is refused by common servers and file systems anyway. */
const TEXT_CHARS_MAX = 2_048

const did = z
  .string()
  .max(SIGNER_CHARS_MAX, `is longer than ${SIGNER_CHARS_MAX} characters`)
  .regex(DID_PATTERN, 'is not a DID (did:method:identifier)')
const orgId = z.string().regex(NAME_PATTERN, 'is not an organisation id (letters, digits, . _ : # -; at most 128)')
const tenant = z.string().regex(TENANT_PATTERN, 'is not a tenant (lower-case letters, digits, _ and -; at most 64)')
const kid = z.string().regex(KID_PATTERN, 'is not a key id (letters, digits, . _ : # -; at most 128)')
const hash = z.string().regex(HASH_PATTERN, 'is not a SHA-256 hash (64 lower-case hex digits)')
const text = z.string().min(1, 'is empty').max(TEXT_CHARS_MAX, `is longer than ${TEXT_CHARS_MAX} characters`)
const httpUrl = text.refine((address) => {
  const url = URL.canParse(address) ? new URL(address) : null
  return url !== null && ['http:', 'https:'].includes(url.protocol) && urlCredentials(url) !== null
}, 'is not an http or https URL')
const multiaddr = text.regex(MULTIADDR_PATTERN, 'is not a multiaddr (such as /ip4/203.0.113.7/tcp/4088)')
const namespace = z
  .string()
  .regex(
    NAMESPACE_PATTERN,
    'is not a namespace (lower-case letters, digits, . _ : -; at most 64; _trust needs no entry)'
  )

/** A list without repeats; `what` names one entry in the message. */
function listOf<T extends z.ZodType<string>>(item: T, what: string) {
  return z
    .array(item)
    .max(LIST_ITEMS_MAX, `has more than ${LIST_ITEMS_MAX} entries`)
    .superRefine((items, context) => {
      items.forEach((value, index) => {
        if (items.indexOf(value) < index) {
          context.addIssue({ code: 'custom', path: [index], message: `names the ${what} ${value} a second time` })
        }
      })
    })
}

/** A list of mappings; what may not occur twice in it is checked where the files are put together. */
function entriesOf<T extends z.ZodType>(entry: T) {
  return z.array(entry).max(LIST_ITEMS_MAX, `has more than ${LIST_ITEMS_MAX} entries`).default([])
}

function milliseconds(min: number, max: number) {
  return z.int().min(min, `is below ${min} ms`).max(max, `is above ${max} ms`)
}

function count(min: number, max: number) {
  return z.int().min(min, `is below ${min}`).max(max, `is above ${max}`)
}

const listenAddress = text.refine(
  (listen) => splitListen(listen) !== null,
  'is not HOST:PORT (such as 127.0.0.1:8088 or [::1]:8088)'
)

const node = z.strictObject({
  did,
  orgId,
  listen: listOf(multiaddr, 'address').default(['/ip4/0.0.0.0/tcp/4088']),
  announce: listOf(multiaddr, 'address').default([]),
  bootstrap: listOf(multiaddr, 'address').default([]),
  mdns: z.boolean().default(false)
})

const http = z
  .strictObject({
    listen: listenAddress.default('127.0.0.1:8088'),
    tls: z.strictObject({ cert: text, key: text }).exactOptional(),
    mtls: z.enum(['off', 'required']).default('off'),
    corsOrigins: listOf(httpUrl, 'origin').default([])
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
  // Events of one signer in a day: 80 MB at the usual 800 bytes, so that a runaway can't fill a disk overnight.
  dailyCap: count(1, 1_000_000_000).default(100_000)
})

const attestations = z.strictObject({
  required: z.boolean().default(false),
  measurements: listOf(hash, 'measurement').default([])
})

const namespaceSettings = z.strictObject({
  tenant,
  members: members.prefault({}),
  finality,
  quorum: quorum.exactOptional(),
  rate: rate.prefault({}),
  attestations: attestations.prefault({})
})

/** One server is one provider, however often it is named: without credentials, keys in queries, and slashes at the end. */
function serverOf(provider: string): string {
  const address = provider.replace(/^bitcoind\+/, '')
  if (address.startsWith('file:') || !URL.canParse(address)) return address
  const { host, pathname } = new URL(address)
  return `${host}${pathname.replace(/\/+$/, '')}`
}

/** `k` answers must agree, so there must be that many to ask. */
function enoughProviders(key: string) {
  return (value: { k: number } & Record<string, unknown>, context: z.RefinementCtx): void => {
    const given = new Set((value[key] as readonly string[]).map(serverOf)).size
    if (value.k > given) {
      context.addIssue({ code: 'custom', path: ['k'], message: `asks for ${value.k} of ${given} ${key}` })
    }
  }
}

/** Esplora: `https://…`; Bitcoin Core: `bitcoind+http://…`, or `http://user:password@…`; known headers: `file:PATH`. */
const btcProvider = text.refine(
  (provider) => parseBitcoinProvider(provider) !== null,
  'is no provider (https://… of an Esplora API, bitcoind+http://USER:PASSWORD@HOST:PORT of Bitcoin Core, or file:PATH of known headers)'
)

const btcNetwork = z
  .string()
  .refine(
    (name) => BITCOIN_NETWORK_NAMES.includes(name),
    `is not a Bitcoin network (${BITCOIN_NETWORK_NAMES.join(', ')})`
  )
const evmChainId = z.string().regex(/^[1-9][0-9]{0,31}$/, 'is not an EVM chain id (a positive whole number)')
const evmAddress = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'is not an address (0x and 40 hex digits)')
const oid = z
  .string()
  .regex(/^[0-2](?:\.(?:0|[1-9][0-9]{0,38})){1,63}$/, 'is not an object identifier (such as 1.2.3.4)')
const tsaName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'is not a name (lower-case letters, digits, . _ -; at most 64)')

const rails = z.strictObject({
  btc: z
    .record(
      btcNetwork,
      z
        .strictObject({
          providers: listOf(btcProvider, 'provider').min(1, 'is empty'),
          k: count(1, 100).default(1),
          // The Bitcoin Core wallet that pays for OP_RETURN transactions; its URL may end with /wallet/NAME.
          wallet: text
            .refine(
              (url) => parseBitcoinProvider(url)?.kind === 'bitcoind',
              'is not the URL of a Bitcoin Core node (bitcoind+http://USER:PASSWORD@HOST:PORT/wallet/NAME)'
            )
            .exactOptional(),
          // OpenTimestamps calendars, which anchor for nothing where there is no wallet.
          calendars: listOf(httpUrl, 'calendar').default([])
        })
        .superRefine(enoughProviders('providers'))
    )
    .default({}),
  eip155: z
    .record(
      evmChainId,
      z
        .strictObject({
          rpc: listOf(httpUrl, 'provider').min(1, 'is empty'),
          k: count(1, 100).default(1),
          // The account that pays for anchoring transactions: a file with its private key as 64 hex digits, mode 0600.
          account: z.strictObject({ keyFile: text, contract: evmAddress.exactOptional() }).exactOptional()
        })
        .superRefine(enoughProviders('rpc'))
    )
    .default({}),
  rfc3161: z
    .record(
      tsaName,
      z.strictObject({
        url: httpUrl,
        roots: listOf(text, 'file').min(1, 'is empty'),
        // Of authorities whose tokens come without them: what leads from the signing certificate to a root.
        certificates: listOf(text, 'file').default([]),
        // The policies (OIDs) that a token may be issued under; any, if none is named.
        policies: listOf(oid, 'policy').default([]),
        // How far off a token may say that its time can be; as it likes, if not given.
        accuracyMsMax: milliseconds(1, DAY_MS).exactOptional()
      })
    )
    .default({})
})

const sealing = z.strictObject({
  everyMs: milliseconds(SECOND_MS, 31 * DAY_MS).default(HOUR_MS),
  // A million leaves are what one batch's proofs and its import are measured with.
  maxReceipts: count(1, 1_000_000).default(100_000),
  rails: listOf(z.enum(['tsa', 'btc', 'evm']), 'rail').default([])
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
  audit: z.strictObject({ syslog: listenAddress.exactOptional() }).prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
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
  firstPack: hash.exactOptional()
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
