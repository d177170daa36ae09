import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { canonicalEvent, decodeEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { LogReader } from '../../src/log/log-reader.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { SimulatedNode } from '../model/simulation.ts'

/** An event that no node would have made. */
export interface ForgedEvent {
  readonly id: string
  readonly envelope: Envelope
  readonly wire: Uint8Array
}

/** The last event of a chain, as the next one has to name it. */
export interface ChainEnd {
  readonly id: string
  readonly authorSeq: number
  readonly ts: number
}

/** Any envelope, signed with the key whatever it says. */
export async function forge(signer: Signer, envelope: Envelope): Promise<ForgedEvent> {
  const canonical = canonicalEvent(envelope)
  const signature = await signer.sign(eventSigningInput(envelope.type, signer.kid, canonical))
  return { id: eventId(canonical), envelope, wire: encodeEvent(envelope, [{ kid: signer.kid, signature }]) }
}

/** The event after `before` (`null`: the first of the chain). */
export function envelopeAfter(
  { did, kid }: Pick<Signer, 'did' | 'kid'>,
  namespace: string,
  before: ChainEnd | null,
  ts: number,
  body: JsonObject
): Envelope {
  const authorSeq = (before?.authorSeq ?? 0) + 1
  return { v: 1, type: 'announce', namespace, signer: did, kid, authorSeq, prev: before?.id ?? null, ts, body }
}

/** The same event with another `ts` under the signature of the true one. */
export function falsify(wire: Uint8Array): ForgedEvent | null {
  const decoded = decodeEvent(wire)
  if (!decoded.ok) return null
  const { envelope, signatures } = decoded.event
  const false_ = { ...envelope, ts: envelope.ts + 1 }
  return { id: eventId(canonicalEvent(false_)), envelope: false_, wire: encodeEvent(false_, signatures) }
}

/** The same event under a signature that is none. */
export function spoil(wire: Uint8Array, random: SeededRandom): Uint8Array {
  const decoded = decodeEvent(wire)
  if (!decoded.ok) return wire
  const { envelope, signatures } = decoded.event
  return encodeEvent(
    envelope,
    signatures.map(({ kid, signature }) => ({ kid, signature: random.bytes(signature.length) }))
  )
}

/** An announce without evidence, of a batch that there is not. */
export function inventedBatch(random: SeededRandom): JsonObject {
  const name = toHex(random.bytes(8))
  return { batchId: `invented-${name}`, batchRoot: sha256Hex(name), receiptCount: 1, timestampAnchors: [] }
}

/** The end of a key's chain as a node holds it; of a fork the branch whose id comes first. */
export async function chainEndOn(
  { disk }: SimulatedNode,
  { did, kid }: Pick<Signer, 'did' | 'kid'>,
  namespace: string
): Promise<ChainEnd | null> {
  const reader = new LogReader(disk.stored)
  for await (const { id } of reader.tips(namespace, chainIdOf({ signer: did, kid, namespace }))) {
    const record = await reader.readEvent(id)
    const decoded = record === undefined ? null : decodeEvent(record.payload)
    if (decoded?.ok !== true) continue
    const { authorSeq, ts } = decoded.event.envelope
    return { id, authorSeq, ts }
  }
  return null
}
