import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { SessionInitiator } from '../../src/sync/initiator.ts'
import type { SessionLimits } from '../../src/sync/limits.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import { SessionResponder } from '../../src/sync/responder.ts'
import type { Step } from '../../src/sync/step.ts'
import type { TransferPlan } from '../../src/sync/transfer-plan.ts'
import type { ModelEvent, ModelNode } from './model-node.ts'

/** What an exchange between two model nodes cost, before the transfer, and moved. */
export interface Exchange {
  readonly isEqual: boolean
  /** Frames of each type, in order, as they crossed. */
  readonly frames: readonly string[]
  readonly bytes: number
  readonly moved: number
  /** Events that came to a side that held them. */
  readonly wasted: number
  readonly left: number
  readonly largestFrame: number
}

const NOTHING: ReadonlySet<string> = new Set()

/** Runs the two machines against each other, every frame by its bytes, then the transfer of both. */
export async function exchange(
  from: ModelNode,
  to: ModelNode,
  options: {
    readonly initiator?: Partial<SessionLimits>
    readonly responder?: Partial<SessionLimits>
    salt?: number
  } = {}
): Promise<Exchange> {
  const initiator = new SessionInitiator(from.view(), {
    limits: { ...SESSION_LIMITS, ...options.initiator },
    unwanted: NOTHING
  })
  const salt = new Uint8Array(16).fill(options.salt ?? 7)
  const responder = new SessionResponder(to.view(), salt, {
    limits: { ...SESSION_LIMITS, ...options.responder },
    unwanted: NOTHING
  })
  const frames: string[] = []
  let bytes = 0
  let largestFrame = 0
  const crossed = (frame: Frame): Frame => {
    const encoded = encodeFrame(frame)
    bytes += encoded.length + lengthBytes(encoded.length)
    largestFrame = Math.max(largestFrame, encoded.length)
    frames.push(frame.type)
    const decoded = decodeFrame(encoded)
    if (!decoded.ok) throw new Error(`${frame.type}: ${decoded.code}: ${decoded.detail}`)
    return decoded.frame
  }

  const ended = { initiator: false, responder: false }
  const toResponder: Frame[] = [crossed(initiator.hello())]
  const toInitiator: Frame[] = []
  const apply = (step: Step, side: 'initiator' | 'responder', out: Frame[]): boolean => {
    if (!step.ok) throw new Error(`${side}: ${step.code}: ${step.detail}`)
    out.push(...step.send.map(crossed))
    if (step.next !== 'talk') ended[side] = true
    return step.next === 'equal'
  }
  // What a side that has come to the transfer would say first.
  const firstOfTransfer: Frame = { type: 'done', sent: 0, notTaken: 0, left: 0 }
  let isEqual = false
  for (let turn = 0; !(ended.initiator && ended.responder); turn += 1) {
    if (turn > 400) throw new Error('the machines do not end')
    const forResponder = toResponder.shift() ?? (ended.initiator && !ended.responder ? firstOfTransfer : undefined)
    if (forResponder !== undefined && !ended.responder) {
      const step = forResponder.type === 'hello' ? responder.begin(forResponder) : await responder.take(forResponder)
      isEqual = apply(step, 'responder', toInitiator) || isEqual
    }
    const forInitiator =
      toInitiator.shift() ??
      (ended.responder && !ended.initiator && toResponder.length === 0 ? firstOfTransfer : undefined)
    if (forInitiator !== undefined && !ended.initiator)
      apply(await initiator.take(forInitiator), 'initiator', toResponder)
  }
  if (toResponder.length + toInitiator.length > 0) throw new Error('frames were sent that nobody took')
  const there = await transfer(initiator.plan, to)
  const back = await transfer(responder.plan, from)
  return {
    isEqual,
    frames,
    bytes,
    moved: there.moved + back.moved,
    wasted: there.wasted + back.wasted,
    left: there.left + back.left,
    largestFrame
  }
}

async function transfer(
  plan: TransferPlan,
  to: ModelNode
): Promise<{ readonly moved: number; readonly wasted: number; readonly left: number }> {
  let moved = 0
  let wasted = 0
  for await (const batch of plan.events()) {
    for (const wire of batch) {
      const event = JSON.parse(Buffer.from(wire).toString('utf8')) as ModelEvent
      if (to.has(event.id)) wasted += 1
      else if (to.take(event)) moved += 1
      else throw new Error(`event ${event.authorSeq} came before its predecessor`)
    }
  }
  return { moved, wasted, left: plan.left }
}

function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : 3
}
