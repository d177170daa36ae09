import { z } from 'zod'
import { nodeDocument } from '../api/answers.ts'
import { WIRE_BODY } from './byte-bodies.ts'
import * as schemas from './federation-schemas.ts'
import { EVENT_CODES, documented } from './route-docs.ts'
import { SIGNED_CODES, signedBody } from './signed-docs.ts'
import { submitOutcome } from './schemas.ts'

const challenge = {
  audience: z.string().describe('The DID of this node.'),
  kid: z.string(),
  nonce: z.string().describe('16 random bytes, base64url.'),
  signer: z.string().describe('The DID of the sender.'),
  ts: z.int(),
  v: z.literal(1)
}

export const NODE_DOCS = documented({
  summary: 'Who this node is',
  description: 'Its keys, and what it speaks. Not signed: pin the keys by another way.',
  tag: 'federation',
  access: 'anyone',
  answers: { 200: nodeDocument }
})

export const ANNOUNCE_DOCS = documented({
  summary: 'Hands over an event',
  description:
    'In its wire form (protocols/event/v1). It enters by the same door as from the mesh, with the same codes, and what ' +
    'is new goes on to the mesh.',
  tag: 'federation',
  access: 'anyone',
  answers: { 200: submitOutcome, 201: submitOutcome, 202: submitOutcome },
  body: WIRE_BODY,
  problems: [...EVENT_CODES]
})

export const REQUEST_DOCS = documented({
  summary: 'A page of receipts',
  description: 'For a signed request in its wire form (protocols/bundle/v1), as over the mesh.',
  tag: 'federation',
  access: 'anyone',
  answers: {},
  others: { 200: { description: 'The signed page.', ...WIRE_BODY } },
  body: WIRE_BODY,
  problems: [
    'SCHEMA_INVALID',
    'WRONG_AUDIENCE',
    'ACCESS_DENIED',
    'CROSS_ORG_DENIED',
    'TIMESTAMP_SKEW',
    'NODE_UNKNOWN',
    'SIGNATURE_INVALID',
    'REPLAY'
  ]
})

export const CHALLENGE_DOCS = documented({
  summary: 'A token for one delivery',
  description:
    'For a node that is registered or a peer, that signed the body (protocols/delivery/v1). It lives 60 s, and serves ' +
    'the DID that asked alone. A nonce that was used before is `SIGNATURE_INVALID` with the detail `replay`.',
  tag: 'federation',
  access: 'anyone',
  answers: { 201: schemas.givenToken },
  body: signedBody(z.strictObject(challenge)),
  problems: SIGNED_CODES
})

export const DELIVER_DOCS = documented({
  summary: 'A receipt for a delivery',
  description:
    'The signed body (protocols/delivery/v1) holds the payload and a token. The receipt is signed, and names the hash of ' +
    'the delivery, its position in the log of this node and a checkpoint over it.',
  tag: 'federation',
  access: 'anyone',
  answers: { 201: schemas.deliveryReceipt },
  body: signedBody(
    z.strictObject({
      ...challenge,
      namespace: z.string(),
      payload: z.looseObject({}),
      token: z.string().describe('The answer to a challenge.')
    })
  ),
  problems: [
    ...SIGNED_CODES,
    'NAMESPACE_NOT_CARRIED',
    'SIGNER_NOT_MEMBER',
    'MAPPING_VIOLATION',
    'TOKEN_INVALID',
    'TOKEN_EXPIRED',
    'STORE_FULL',
    'NOT_YET',
    'SIGNER_UNAVAILABLE'
  ]
})
