import { concat, equalBytes, fromHex, toHex, utf8 } from '../../primitives/bytes.ts'
import { ByteReader } from './byte-reader.ts'
import { encodeVaruint } from './ots-operation.ts'

/** Who says since when a message exists (SPEC BE-19). */
export type OtsAttestation =
  /** The message is the Merkle root of the block at that height of the best chain. */
  | { readonly kind: 'bitcoin' | 'litecoin'; readonly height: number }
  /** A calendar promised to get the message into a block; it is asked at `uri`. */
  | { readonly kind: 'pending'; readonly uri: string }
  /** Kept as it is: `tag` has 8 bytes. */
  | { readonly kind: 'unknown'; readonly tag: Uint8Array; readonly payload: Uint8Array }

/** Longest payload in bytes (`TimeAttestation.MAX_PAYLOAD_SIZE` of the reference). */
const PAYLOAD_BYTES_MAX = 8_192
/** Longest address of a calendar (`PendingAttestation.MAX_URI_LENGTH` of the reference). */
const URI_BYTES_MAX = 1_000
/** The characters that the reference allows: so there is no query, no credentials and nothing to escape. */
const URI_PATTERN = /^[A-Za-z0-9._/:-]*$/

const TAG_BYTES = 8
const TAGS = { bitcoin: '0588960d73d71901', litecoin: '06869a0d73d71b45', pending: '83dfe30d2ef90c8e' } as const

/** Reads an attestation behind its zero octet (SPEC BE-19). */
export function readAttestation(reader: ByteReader): OtsAttestation {
  const tag = reader.take(TAG_BYTES)
  const payload = reader.varbytes(0, PAYLOAD_BYTES_MAX)
  const fields = new ByteReader(payload, 'OTS_MALFORMED')
  const attestation = readKnown(toHex(tag), fields)
  if (attestation === null) return { kind: 'unknown', tag, payload }
  // [INVALID] BE-19: nothing follows in the payload of a kind that is known.
  fields.end()
  return attestation
}

/** The attestation with its tag and the length of its payload; without the zero octet. */
export function encodeAttestation(attestation: OtsAttestation): Uint8Array {
  const payload = payloadOf(attestation)
  const tag = attestation.kind === 'unknown' ? attestation.tag : (fromHex(TAGS[attestation.kind]) as Uint8Array)
  return concat(tag, encodeVaruint(payload.length), payload)
}

/** Whether both say the same. */
export function isSameAttestation(left: OtsAttestation, right: OtsAttestation): boolean {
  return equalBytes(encodeAttestation(left), encodeAttestation(right))
}

function readKnown(tag: string, fields: ByteReader): OtsAttestation | null {
  switch (tag) {
    case TAGS.bitcoin:
      return { kind: 'bitcoin', height: fields.varuint() }
    case TAGS.litecoin:
      return { kind: 'litecoin', height: fields.varuint() }
    case TAGS.pending:
      return { kind: 'pending', uri: readUri(fields) }
    default:
      return null
  }
}

function readUri(fields: ByteReader): string {
  // Bytes are looked at as Latin-1, so that each is one character and none that is not allowed can hide.
  const uri = String.fromCharCode(...fields.varbytes(0, URI_BYTES_MAX))
  if (!URI_PATTERN.test(uri)) fields.refuse('the address of a calendar holds a character that is not allowed')
  return uri
}

function payloadOf(attestation: OtsAttestation): Uint8Array {
  switch (attestation.kind) {
    case 'pending':
      return concat(encodeVaruint(attestation.uri.length), utf8(attestation.uri))
    case 'unknown':
      return attestation.payload
    default:
      return encodeVaruint(attestation.height)
  }
}
