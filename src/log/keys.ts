/**
 * Where everything stands in the store. One letter, `!`, then fixed-width or `!`-separated parts, so that byte
 * order is the order in which it is read. Projections stand under `v!` and `w!` (`src/projections/keys.ts`).
 */

/** How the values of the store are encrypted, itself in clear. It comes before all others, so that ranges pass it by. */
export const ENCRYPTION_KEY = '!encryption'

/** `m!store`: format version and epoch. */
export const STORE_META_KEY = 'm!store'

/** Sixteen hex digits: byte order is number order up to 2^53. */
export function sortableNumber(value: number): string {
  return value.toString(16).padStart(16, '0')
}

export function parseSortableNumber(text: string): number {
  return Number.parseInt(text, 16)
}

export const RECORD_PREFIX = 'r!'
/** `r!<logSeq>` → record. */
export const recordKey = (logSeq: number): string => RECORD_PREFIX + sortableNumber(logSeq)

export const ID_PREFIX = 'i!'
/** `i!<event id>` → position of the event in the log and in its chain, and its branch. */
export const idKey = (eventId: string): string => ID_PREFIX + eventId

export const CHAINS_PREFIX = 'c!'
/**
 * `c!<chain>!<authorSeq of the first>!<logSeq of the first>` → branch and log positions of a run of consecutive events
 * of one branch of a chain.
 */
export const chainPrefix = (chain: string): string => `${CHAINS_PREFIX}${chain}!`
export const chainRunKey = (chain: string, authorSeq: number, logSeq: number): string =>
  `${chainPrefix(chain)}${sortableNumber(authorSeq)}!${sortableNumber(logSeq)}`

export const BRANCHES_PREFIX = 'f!'
/**
 * `f!<chain>!<branch>` → parent branch and authorSeq of the first. A branch is named by the log position of its first
 * event.
 */
export const branchPrefix = (chain: string): string => `${BRANCHES_PREFIX}${chain}!`
export const branchKey = (chain: string, branch: number): string => branchPrefix(chain) + sortableNumber(branch)

export const TIPS_PREFIX = 't!'
/**
 * `t!<namespace>!<chain>!<event id>` → a tip: an event of the namespace that none follows. Each branch ends in one.
 */
export const tipPrefix = (namespace: string, chain?: string): string =>
  `${TIPS_PREFIX}${namespace}!${chain === undefined ? '' : `${chain}!`}`
export const tipKey = (namespace: string, chain: string, eventId: string): string =>
  tipPrefix(namespace, chain) + eventId

export const NAMESPACE_COUNT_PREFIX = 'n!'
/** `n!<namespace>` → how many shared events it has. */
export const namespaceCountKey = (namespace: string): string => NAMESPACE_COUNT_PREFIX + namespace

export const POLICY_PREFIX = 'p!'
/** `p!<logSeq>` → empty: the record at this position is a policy that came into force. */
export const policyKey = (logSeq: number): string => POLICY_PREFIX + sortableNumber(logSeq)

export const NONCE_PREFIX = 'q!'
/** `q!<when it may be forgotten>!<hash of signer and nonce>` → when a request that was answered was signed, and by whom. */
export const nonceKey = (expiresAt: number, name: string): string =>
  `${NONCE_PREFIX}${sortableNumber(expiresAt)}!${name}`

/** The latest time at which a request was signed of which the nonce was forgotten. No hex digit: behind all nonces. */
export const NONCES_FORGOTTEN_KEY = `${NONCE_PREFIX}~forgotten`

export const ATTEMPTS_PREFIX = 'a!'
/** `a!<key of the batch's row>` → how fetching its receipts failed so far. */
export const attemptsKey = (rowKey: string): string => ATTEMPTS_PREFIX + rowKey

export const HANDED_IN_PREFIX = 'h!'
/** In the store of blobs: `h!<namespace>!<number>` → leaf hash of a receipt that waits to be sealed, its size and time. */
export const handedInPrefix = (namespace: string): string => `${HANDED_IN_PREFIX}${namespace}!`
export const handedInKey = (namespace: string, number: number): string =>
  handedInPrefix(namespace) + sortableNumber(number)

export const BATCH_CUT_PREFIX = 'k!'
/** In the store of blobs: `k!<namespace>` → the batch that waiting receipts are being sealed into. */
export const batchCutKey = (namespace: string): string => BATCH_CUT_PREFIX + namespace

export const ERASURE_PREFIX = 'z!'
/** `z!<leaf hash>` → empty: the receipt's blob is being deleted. */
export const erasureKey = (leafHash: string): string => ERASURE_PREFIX + leafHash

export const AUDIT_PREFIX = 'u!'
/** `u!r!<seq>` → audit record, as protocols/audit/v1 has it. */
export const AUDIT_RECORDS_PREFIX = `${AUDIT_PREFIX}r!`
export const auditRecordKey = (seq: number): string => AUDIT_RECORDS_PREFIX + sortableNumber(seq)
/** `u!base`, `u!head`: the last record that was dropped from the front, and the last of all. */
export const AUDIT_BASE_KEY = `${AUDIT_PREFIX}base`
export const AUDIT_HEAD_KEY = `${AUDIT_PREFIX}head`
/** `u!sent` → the last record that the syslog collector has got. */
export const AUDIT_SENT_KEY = `${AUDIT_PREFIX}sent`
/** Trust anchors of organisations, and where the sync of their packs stands (`src/pack-sync/keys.ts`). */
export const PACK_SYNC_PREFIX = 'y!'
export const TOLD_ALARMS_PREFIX = 'o!'
/** `o!<signer>!<kid>` → the last alarm about the checkpoints of this log that was told. */
export const toldAlarmKey = (signer: string, kid: string): string => `${TOLD_ALARMS_PREFIX}${signer}!${kid}`

export const TOKENS_PREFIX = 'j!'
/** `j!<token id>` → an access token of readers: the hash of its secret, what it may see, and until when. */
export const tokenKey = (id: string): string => TOKENS_PREFIX + id

export const PARTNERS_PREFIX = 'd!'
/** `d!<did>!<kid>` → a key of a node outside the mesh that may deliver over HTTP. */
export const partnerKey = (did: string, kid: string): string => `${PARTNERS_PREFIX}${did}!${kid}`

export const TREE_PREFIX = 'x!'
/**
 * `x!0!<tile>` → the leaf hashes of 256 consecutive records; `x!<level>!<index>` → the root over 256^level of them. Of
 * complete ones only.
 */
export const treeLevelPrefix = (level: number): string => `${TREE_PREFIX}${level}!`
export const treeKey = (level: number, index: number): string => treeLevelPrefix(level) + sortableNumber(index)
