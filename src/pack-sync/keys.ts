import { PACK_SYNC_PREFIX } from '../log/keys.ts'

/** `y!a!<namespace>!<organisation>` → its trust anchors. */
export const PACK_ANCHORS_PREFIX = `${PACK_SYNC_PREFIX}a!`
/** `y!s!<namespace>!<organisation>` → where the sync of its packs stands. */
export const PACK_SYNC_STATE_PREFIX = `${PACK_SYNC_PREFIX}s!`
