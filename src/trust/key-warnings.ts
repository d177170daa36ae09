/** A key as some document of an operator names it; `publicKey` is base64url. */
export interface DocumentedKey {
  readonly kid: string
  readonly publicKey: string
}

/** A key of this node. */
export interface OwnKey extends DocumentedKey {
  /** Milliseconds since 1970; `null` where it is not known. */
  readonly createdAt: number | null
  /** Whether events are signed with it now. */
  readonly signs: boolean
}

/** What the newest pack of an organisation says of a key. */
export interface PackedKey extends DocumentedKey {
  readonly status: string
  readonly notAfter: number | null
}

/** The newest pack of an organisation. */
export interface NewestPack {
  readonly orgId: string
  readonly packSeq: number
  readonly validUntil: number
  readonly keys: readonly PackedKey[]
}

/** A certificate of the configuration, and when it ends. */
export interface DatedCertificate {
  /** Such as `http.tls.cert`. */
  readonly what: string
  readonly notAfter: number
}

/** All that warnings ahead of expiry, and of drift, are made of. Times are milliseconds since 1970. */
export interface KeyFacts {
  readonly now: number
  readonly rotateEveryMs: number
  readonly warnBeforeMs: number
  readonly orgId: string
  readonly ownKeys: readonly OwnKey[]
  /** What `peers.yaml` says of the keys of the others, and of this organisation's other nodes. */
  readonly peers: readonly { readonly did: string; readonly orgId: string; readonly keys: readonly DocumentedKey[] }[]
  readonly packs: readonly NewestPack[]
  readonly certificates: readonly DatedCertificate[]
}

export type KeyWarningCode =
  | 'KEY_ROTATION_DUE'
  | 'KEY_ENDS'
  | 'KEY_ENDED'
  | 'PACK_ENDS'
  | 'PACK_STALE'
  | 'CERTIFICATE_ENDS'
  | 'CERTIFICATE_ENDED'
  | 'DRIFT_MISSING'
  | 'DRIFT_OTHER_KEY'
  | 'DRIFT_NOT_ACTIVE'

/** One thing that an operator should see to. `subject` is what it is about: a kid, an organisation, a certificate. */
export interface KeyWarning {
  readonly code: KeyWarningCode
  readonly subject: string
  readonly text: string
}

const DAY_MS = 86_400_000

/**
 * What of keys, packs and certificates has ended or ends within `warnBeforeMs`, which key is due for rotation, and where
 * the documents of this node differ from the newest packs. A function of its input alone; in a fixed order, this node's
 * own affairs first.
 */
export function keyWarnings(facts: KeyFacts): readonly KeyWarning[] {
  const { ownKeys, orgId, packs, peers, certificates } = facts
  const newest = new Map(packs.map((pack) => [pack.orgId, pack]))
  const own = newest.get(orgId)
  return [
    ...ownKeys.flatMap((key) => ageOf(key, facts)),
    ...(own === undefined ? [] : ownKeys.flatMap((key) => [...endOf(key, own, facts), ...ownDrift(key, own)])),
    ...packs.toSorted(byOwnFirst(orgId)).flatMap((pack) => packEnd(pack, facts)),
    ...peers.flatMap((peer) => {
      const pack = newest.get(peer.orgId)
      return pack === undefined ? [] : peer.keys.flatMap((key) => peerDrift(peer.did, key, pack))
    }),
    ...certificates.flatMap((certificate) => certificateEnd(certificate, facts))
  ]
}

function ageOf({ kid, createdAt, signs }: OwnKey, { now, rotateEveryMs, warnBeforeMs }: KeyFacts): KeyWarning[] {
  if (!signs || createdAt === null || createdAt + rotateEveryMs > now + warnBeforeMs) return []
  const dueAt = createdAt + rotateEveryMs
  const when = dueAt <= now ? `was due for rotation ${ago(now - dueAt)}` : `is due for rotation in ${days(dueAt - now)}`
  return [warning('KEY_ROTATION_DUE', kid, `the signing key ${kid} ${when}: anchormesh keys rotate`)]
}

function endOf({ kid, signs }: OwnKey, { keys }: NewestPack, { now, warnBeforeMs }: KeyFacts): KeyWarning[] {
  const notAfter = keys.find((key) => key.kid === kid)?.notAfter ?? null
  if (!signs || notAfter === null || notAfter > now + warnBeforeMs) return []
  return notAfter <= now
    ? [warning('KEY_ENDED', kid, `the signing key ${kid} ended ${ago(now - notAfter)} by this organisation's pack`)]
    : [warning('KEY_ENDS', kid, `the signing key ${kid} ends in ${days(notAfter - now)} by this organisation's pack`)]
}

function packEnd({ orgId, packSeq, validUntil }: NewestPack, { now, warnBeforeMs, ...facts }: KeyFacts): KeyWarning[] {
  if (validUntil > now + warnBeforeMs) return []
  const whose = orgId === facts.orgId ? `this organisation's pack ${packSeq}` : `pack ${packSeq} of ${orgId}`
  const what = orgId === facts.orgId ? 'anchormesh pack publish' : `ask ${orgId} for a new one`
  return validUntil <= now
    ? [warning('PACK_STALE', orgId, `${whose} ended ${ago(now - validUntil)}: its keys are stale; ${what}`)]
    : [warning('PACK_ENDS', orgId, `${whose} ends in ${days(validUntil - now)}; ${what}`)]
}

/** A key that this node signs with must be what others find in the pack. */
function ownDrift({ kid, publicKey, signs }: OwnKey, { packSeq, keys }: NewestPack): KeyWarning[] {
  if (!signs) return []
  const packed = keys.find((key) => key.kid === kid)
  const where = `this organisation's pack ${packSeq}`
  if (packed === undefined)
    return [warning('DRIFT_MISSING', kid, `this node signs with ${kid}, which ${where} does not name`)]
  if (packed.publicKey !== publicKey)
    return [warning('DRIFT_OTHER_KEY', kid, `this node signs with another key ${kid} than ${where} names`)]
  if (packed.status === 'ACTIVE') return []
  return [warning('DRIFT_NOT_ACTIVE', kid, `this node signs with ${kid}, which is ${packed.status} by ${where}`)]
}

/** `peers.yaml` may know keys that a pack does not name; one that a pack has ended or exchanged is out of date. */
function peerDrift(did: string, { kid, publicKey }: DocumentedKey, { orgId, packSeq, keys }: NewestPack): KeyWarning[] {
  const packed = keys.find((key) => key.kid === kid)
  const [here, there] = [`peers.yaml: the key ${kid} of ${did}`, `pack ${packSeq} of ${orgId}`]
  if (packed === undefined) return [warning('DRIFT_MISSING', kid, `${here} is not in ${there}`)]
  if (packed.publicKey !== publicKey) return [warning('DRIFT_OTHER_KEY', kid, `${here} is another one in ${there}`)]
  // What a did:key is by itself is among its keys for ever: nobody could take it out of the file.
  if (packed.status === 'ACTIVE' || did === `did:key:${kid}`) return []
  return [warning('DRIFT_NOT_ACTIVE', kid, `${here} is ${packed.status} by ${there}`)]
}

function certificateEnd({ what, notAfter }: DatedCertificate, { now, warnBeforeMs }: KeyFacts): KeyWarning[] {
  if (notAfter > now + warnBeforeMs) return []
  return notAfter <= now
    ? [warning('CERTIFICATE_ENDED', what, `the certificate of ${what} ended ${ago(now - notAfter)}`)]
    : [warning('CERTIFICATE_ENDS', what, `the certificate of ${what} ends in ${days(notAfter - now)}`)]
}

function warning(code: KeyWarningCode, subject: string, text: string): KeyWarning {
  return { code, subject, text }
}

function days(ms: number): string {
  const count = Math.ceil(ms / DAY_MS)
  return `${count} day${count === 1 ? '' : 's'}`
}

function ago(ms: number): string {
  return ms < DAY_MS ? 'today' : `${days(ms - DAY_MS + 1)} ago`
}

function byOwnFirst(orgId: string): (left: NewestPack, right: NewestPack) => number {
  return (left, right) => {
    if ((left.orgId === orgId) !== (right.orgId === orgId)) return left.orgId === orgId ? -1 : 1
    return left.orgId < right.orgId ? -1 : 1
  }
}
