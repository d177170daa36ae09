/** The forms of names that only configuration uses; those that travel are in `protocols/event/v1`. */

export { TRUST_NAMESPACE } from '../../protocols/event/v1/envelope.ts'

/** Whom a namespace belongs to (`CONTRACT.md`, section 1). */
export { TENANT_PATTERN } from '../../protocols/telemetry/v1/tenant-request.ts'

/** A libp2p PeerId in base58: `Qm…` (46 characters) or an inlined key such as `12D3KooW…` (52). */
export const PEER_ID_PATTERN = /^[1-9A-HJ-NP-Za-km-z]{46,64}$/

/** Only the outline; libp2p itself parses it when the configuration is loaded. */
export const MULTIADDR_PATTERN = /^\/[a-z0-9-]+(?:\/[^\s/]+)*$/
