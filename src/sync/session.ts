import type { Frame, SyncErrorCode } from '../../protocols/range-sync/v1/frames.ts'
import type { Clock } from '../platform/clock.ts'
import type { PeerStream } from '../streams/peer-stream.ts'
import { SessionChannel, SessionEnded } from './channel.ts'
import type { Received, SessionDoor } from './events-receiver.ts'
import { EventsReceiver } from './events-receiver.ts'
import { sendEvents } from './events-sender.ts'
import { SessionInitiator } from './initiator.ts'
import type { SessionLimits } from './limits.ts'
import { SessionResponder } from './responder.ts'
import type { Step } from './step.ts'
import { talk } from './step.ts'
import type { SyncView } from './sync-view.ts'

/** What a session sees of this node. */
export interface OpenView {
  readonly view: SyncView
  /** The log position that the view's tips are of. */
  readonly logSeq: number
}

/** What a session costs and brings, for who shows it. */
export interface SessionProgress {
  readonly sent: number
  readonly received: number
}

/** What a session works with. */
export interface SessionPorts {
  readonly door: SessionDoor
  readonly clock: Clock
  readonly limits: SessionLimits
  readonly onProgress?: (progress: SessionProgress) => void
  /** Called once the peer has answered the first frame. */
  readonly onAnswered?: () => void
}

/** How a session ended, and what it did until then. */
export interface SessionReport {
  /**
   * `equal`: nothing was to be done. `synced`: both sides have what the other had, but for what is `left`. Otherwise the
   * code of the error (RS-5), or `broken` where the stream was lost.
   */
  readonly end: 'equal' | 'synced' | SyncErrorCode | 'broken'
  /** Who ended it, where it ended too early. */
  readonly by?: 'peer' | 'here'
  readonly detail?: string
  /** Times that this side waited for an answer before the transfer. */
  readonly rounds: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly sent: number
  readonly received: Received
  /** Whether another session would bring more at once. */
  readonly hasLeft: boolean
  /** Whether the two nodes admit different members, so that their sets are not expected to be equal (RS-7). */
  readonly membershipDiffers: boolean
  /** Ids of chains whose events this node does not take as things are. */
  readonly refusedChains: ReadonlySet<string>
  /** How long it took, in milliseconds. */
  readonly tookMs: number
}

/** The report of a session whose stream could not be opened. */
export function notOpened(detail: string): SessionReport {
  return {
    end: 'broken',
    by: 'peer',
    detail,
    rounds: 0,
    bytesRead: 0,
    bytesWritten: 0,
    sent: 0,
    received: { accepted: 0, duplicate: 0, pending: 0, ignored: {} },
    hasLeft: false,
    membershipDiffers: false,
    refusedChains: new Set(),
    tookMs: 0
  }
}

/** Either machine, once both sides talk. */
type Side = Pick<SessionInitiator, 'take' | 'plan' | 'toldAll' | 'toldUnwanted' | 'membershipDiffers'>

/** Opens a session over a stream and carries it to its end. Never rejects for what a peer does. */
export async function initiateSession(
  stream: PeerStream,
  opened: OpenView,
  unwanted: ReadonlySet<string>,
  ports: SessionPorts
): Promise<SessionReport> {
  const session = new Session(stream, ports)
  return await session.run(async () => {
    const initiator = new SessionInitiator(opened.view, { limits: ports.limits, unwanted })
    await session.carry(initiator, opened, talk(initiator.hello()))
  })
}

/** What a responder says to `hello`: a view of the namespace, or why there is none (RS-5). */
export type Admission =
  | { readonly ok: true; readonly opened: OpenView; readonly unwanted: ReadonlySet<string> }
  | { readonly ok: false; readonly code: 'busy' | 'wrong-namespace'; readonly detail: string }

/**
 * Answers a session that a peer opened. `admit` is asked once the namespace is known. `salt`: 16 fresh random bytes.
 * Never rejects for what a peer does.
 */
export async function answerSession(
  stream: PeerStream,
  admit: (namespace: string) => Promise<Admission>,
  salt: Uint8Array,
  ports: SessionPorts
): Promise<SessionReport> {
  const session = new Session(stream, ports)
  return await session.run(async () => {
    const hello = await session.read()
    // [REJECT] RS-4.
    if (hello.type !== 'hello') throw new SessionEnded('bad-frame', 'here', `${hello.type} does not come first`)
    const admission = await admit(hello.namespace)
    // [REJECT] RS-6.
    if (!admission.ok) throw new SessionEnded(admission.code, 'here', admission.detail)
    const { opened, unwanted } = admission
    const responder = new SessionResponder(opened.view, salt, { limits: ports.limits, unwanted })
    await session.carry(responder, opened, responder.begin(hello))
  })
}

/** One session as either side runs it: a machine, a channel and the transfer. */
class Session {
  readonly #ports: SessionPorts
  readonly #channel: SessionChannel
  readonly #source: { readonly via: 'sync'; readonly peer: string }
  readonly #stopped = new AbortController()
  /** What goes on at the same time during the transfer. */
  #tasks: readonly Promise<unknown>[] = []
  #side: Side | null = null
  #receiver: EventsReceiver | null = null
  #end: 'equal' | 'synced' = 'synced'
  #sent = 0
  #rounds = 0
  #theyLeft = 0

  constructor(stream: PeerStream, ports: SessionPorts) {
    this.#ports = ports
    this.#channel = new SessionChannel(stream, ports.clock)
    this.#source = { via: 'sync', peer: stream.peerId }
  }

  /** The next frame of the peer. */
  async read(): Promise<Frame> {
    return await this.#channel.read()
  }

  /** Runs `course`, and tells how it ended. */
  async run(course: () => Promise<void>): Promise<SessionReport> {
    const began = this.#ports.clock.monotonicMs()
    const took = (): number => this.#ports.clock.monotonicMs() - began
    try {
      await course()
      await this.#channel.end()
      return { ...this.#report(took()), end: this.#end }
    } catch (error) {
      const ended = error instanceof SessionEnded ? error : new SessionEnded('broken', 'here', 'a defect of this node')
      this.#stopped.abort(ended)
      await this.#channel.leave(ended)
      await Promise.allSettled(this.#tasks)
      await this.#receiver?.judged()
      if (!(error instanceof SessionEnded)) throw error
      const { code, by, message } = this.#worst(error)
      return { ...this.#report(took()), end: code, by, detail: message }
    }
  }

  /** Carries a machine from its first step to the end of the session. */
  async carry(side: Side, opened: OpenView, first: Step): Promise<void> {
    this.#side = side
    let step = first
    let frame: Frame | null = null
    for (;;) {
      if (!step.ok) throw new SessionEnded(step.code, 'here', step.detail)
      for (const sent of step.send) await this.#channel.write(sent)
      if (step.next === 'equal') this.#end = 'equal'
      if (step.next !== 'talk') break
      frame = await this.read()
      // What comes in several frames is one answer.
      if (step.send.length > 0) this.#rounds += 1
      if (this.#rounds === 1) this.#ports.onAnswered?.()
      step = await side.take(frame)
    }
    if (step.next === 'transfer') await this.#transfer(side, opened, frame)
  }

  /** `last`: the frame that led here. */
  async #transfer(side: Side, { view, logSeq }: OpenView, last: Frame | null): Promise<void> {
    const source = { ...this.#source, namespace: view.namespace }
    const { door, clock } = this.#ports
    const told = { logSeq, isAll: side.toldAll, unwanted: side.toldUnwanted }
    const receiver = new EventsReceiver({ door, clock, signal: this.#stopped.signal }, source, told)
    this.#receiver = receiver
    const unread = last?.type === 'events' || last?.type === 'done' ? last : null
    this.#tasks = [this.#sendAll(side), this.#receiveAll(receiver, unread)]
    await Promise.race([Promise.all(this.#tasks), receiver.failed])
  }

  async #sendAll({ plan }: Side): Promise<void> {
    const onSent = (sent: number): void => {
      this.#sent = sent
      this.#tellProgress()
    }
    const sent = await sendEvents(plan, this.#channel, onSent, this.#stopped.signal)
    const notTaken = this.#receiver?.notTaken ?? 0
    await this.#channel.write({ type: 'done', sent, notTaken, left: plan.left })
  }

  async #receiveAll(receiver: EventsReceiver, unread: Frame | null): Promise<void> {
    for (let frame = unread ?? (await this.read()); ; frame = await this.read()) {
      if (frame.type === 'done') {
        // [REJECT] RS-19.
        if (frame.sent !== receiver.count) throw new SessionEnded('lied', 'here', `${receiver.count} events came`)
        this.#theyLeft = frame.left
        break
      }
      // [REJECT] RS-4.
      if (frame.type !== 'events') throw new SessionEnded('bad-frame', 'here', `${frame.type} does not come here`)
      this.#stopped.signal.throwIfAborted()
      await receiver.take(frame.events)
      this.#tellProgress()
    }
    await receiver.settled()
  }

  /** Who sends what it must not and then breaks off, or is silent, pays for what it sent. */
  #worst(error: SessionEnded): SessionEnded {
    const problem = this.#receiver?.problem ?? null
    return problem === null || problem.code === 'broken' ? error : problem
  }

  #tellProgress(): void {
    this.#ports.onProgress?.({ sent: this.#sent, received: this.#receiver?.count ?? 0 })
  }

  #report(tookMs: number): Omit<SessionReport, 'end'> {
    return {
      rounds: this.#rounds,
      bytesRead: this.#channel.bytesRead,
      bytesWritten: this.#channel.bytesWritten,
      sent: this.#sent,
      received: this.#receiver?.received ?? { accepted: 0, duplicate: 0, pending: 0, ignored: {} },
      hasLeft: this.#theyLeft > 0 || (this.#side?.plan.left ?? 0) > 0,
      membershipDiffers: this.#side?.membershipDiffers ?? false,
      refusedChains: this.#receiver?.refusedChains ?? new Set(),
      tookMs
    }
  }
}
