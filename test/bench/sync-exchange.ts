import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { answer, Initiator } from '../../protocols/negentropy/v1/reconcile.ts'
import type { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import { SessionInitiator } from '../../src/sync/initiator.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import { SessionResponder } from '../../src/sync/responder.ts'
import type { SyncView } from '../../src/sync/sync-view.ts'
import type { TransferPlan } from '../../src/sync/transfer-plan.ts'

/** What two sides said before the transfer, and what they would send. */
export interface Talk {
  /** Times that the initiator waited for an answer. */
  readonly roundTrips: number
  readonly bytes: number
  readonly initiator: TransferPlan
  readonly responder: TransferPlan
}

/** Runs the two machines up to the transfer, each frame by its bytes. */
export async function talkOf(from: SyncView, to: SyncView): Promise<Talk> {
  const initiator = new SessionInitiator(from, { limits: SESSION_LIMITS, unwanted: new Set() })
  const responder = new SessionResponder(to, new Uint8Array(16).fill(7), {
    limits: SESSION_LIMITS,
    unwanted: new Set()
  })
  let bytes = 0
  const cross = (frames: readonly Frame[]): Frame[] =>
    frames.map((frame) => {
      const encoded = encodeFrame(frame)
      bytes += encoded.length + (encoded.length < 128 ? 1 : encoded.length < 16_384 ? 2 : 3)
      const decoded = decodeFrame(encoded)
      if (!decoded.ok) throw new Error(decoded.detail)
      return decoded.frame
    })
  let roundTrips = 0
  let forResponder = cross([initiator.hello()])
  while (forResponder.length > 0) {
    const forInitiator: Frame[] = []
    for (const frame of forResponder) {
      const answered = frame.type === 'hello' ? responder.begin(frame) : await responder.take(frame)
      if (!answered.ok) throw new Error(answered.detail)
      forInitiator.push(...cross(answered.send))
    }
    if (forInitiator.length === 0) break
    roundTrips += 1
    forResponder = []
    for (const frame of forInitiator) {
      const step = await initiator.take(frame)
      if (!step.ok) throw new Error(step.detail)
      forResponder.push(...cross(step.send))
    }
  }
  return { roundTrips, bytes, initiator: initiator.plan, responder: responder.plan }
}

/** How many events a plan sends. */
export async function eventsOf(plan: TransferPlan): Promise<number> {
  let count = 0
  for await (const batch of plan.events()) count += batch.length
  return count
}

/** Negentropy over all event ids, as the reference does it without a limit on frames. */
export function negentropyOf(
  from: PackedItems,
  to: PackedItems
): { readonly roundTrips: number; readonly bytes: number; readonly found: number } {
  const initiator = new Initiator(from)
  let message: Uint8Array | null = initiator.start()
  let [roundTrips, bytes, found] = [0, 0, 0]
  while (message !== null) {
    const answered = answer(to, message)
    if (!answered.ok) throw new Error(answered.detail)
    roundTrips += 1
    bytes += message.length + answered.message.length
    const step = initiator.reconcile(answered.message)
    if (!step.ok) throw new Error(step.detail)
    found += step.have.length + step.need.length
    message = step.next
  }
  return { roundTrips, bytes, found }
}
