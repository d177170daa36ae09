import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'

/** The local event types of this release; a log may hold others, written by a newer one. */
export type LocalEventType =
  | 'policy'
  | 'batch-sealed'
  | 'bundle-imported'
  | 'forgotten'
  | 'verdict'
  | 'key-bound'
  | 'anchoring'
  | 'delivery'
  | 'telemetry'
  | 'feedback'

/**
 * What this node learned or was told to do: a record of its own log that never leaves it. It carries no signature; the
 * log's hash chain holds it in place.
 */
export interface LocalEvent {
  readonly v: 1
  readonly type: string
  readonly ts: number
  readonly body: JsonObject
}

export function localEvent(type: LocalEventType, ts: number, body: JsonObject): LocalEvent {
  return { v: 1, type, ts, body }
}

/** The canonical JSON that the log stores. */
export function encodeLocalEvent(event: LocalEvent): string {
  return encodeCanonical({ v: event.v, type: event.type, ts: event.ts, body: event.body })
}

/**
 * Reads a stored local event. It was written by this node and is covered by the hash chain; anything else is a defect.
 */
export function decodeLocalEvent(payload: Uint8Array): LocalEvent {
  return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8')) as LocalEvent
}
