import { z } from 'zod'
import type { Receipt, SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { isDid } from '../../protocols/event/v1/envelope.ts'
import { isBase64url } from '../../protocols/primitives/bytes.ts'
import { KID_PATTERN } from '../../protocols/signature/v1/jws.ts'
import type { GivenToken } from '../deliveries/challenge-tokens.ts'
import type { NodeDocument } from '../deliveries/node-document.ts'
import type { NodeRegistration } from '../partners/partner-registry.ts'
import type { RegisteredKey } from '../partners/registered-nodes.ts'
import { tenant } from '../policy/schema-values.ts'

const did = z.string().refine(isDid, 'is no DID')
const kid = z.string().regex(KID_PATTERN, 'is no kid')

/** `POST /v1/admin/nodes`. */
export const nodeRegistration: z.ZodType<NodeRegistration> = z.strictObject({
  did,
  kid,
  publicKey: z.string().length(43, 'is not base64url of 32 bytes').refine(isBase64url, 'is not base64url of 32 bytes'),
  tenant: tenant.exactOptional()
})

/** `DELETE /v1/admin/nodes`. */
export const registeredKeyQuery = z.strictObject({ did, kid })

export const registeredKey: z.ZodType<RegisteredKey> = z.object({
  did: z.string(),
  kid: z.string(),
  publicKey: z.string(),
  tenant: z.string().nullable(),
  registeredAt: z.number()
})
export const registeredKeys = z.object({ nodes: z.array(registeredKey) })

export const givenToken: z.ZodType<GivenToken> = z.object({ token: z.string(), expiresAt: z.number() })

const receipt = z.object({
  v: z.literal(1),
  audience: z.string(),
  signer: z.string(),
  kid: z.string(),
  deliveryHash: z.string(),
  logSeq: z.int(),
  checkpoint: z.string(),
  record: z.object({ previousHash: z.string(), recordedAt: z.number(), bytes: z.string() }),
  ts: z.number()
}) satisfies z.ZodType<Receipt>

export const deliveryReceipt: z.ZodType<{ readonly receipt: SignedReceipt }> = z.object({
  receipt: receipt.extend({ protected: z.string(), signature: z.string() })
})

export const nodeDocument: z.ZodType<NodeDocument> = z.object({
  did: z.string(),
  peerId: z.string().nullable(),
  orgId: z.string(),
  keys: z.array(z.object({ kid: z.string(), publicKey: z.string(), status: z.string() })),
  protocols: z.array(z.string()),
  checkpointKey: z.string()
})
