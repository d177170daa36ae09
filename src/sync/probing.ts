import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame, ProbedChain, TaggedPosition } from '../../protocols/range-sync/v1/frames.ts'
import {
  CHAINS_FRAMES_MAX,
  CHAINS_IN_FRAME_MAX,
  ROUNDS_MAX,
  SAMPLES_MAX
} from '../../protocols/range-sync/v1/frames.ts'
import { FRAME_HEAD_BYTES, packed, taggedMax } from './frame-packing.ts'
import type { SessionLimits } from './limits.ts'
import type { OwnChain } from './own-chain.ts'
import type { SessionFailure, Step } from './step.ts'
import { failure, talk, TRANSFER } from './step.ts'
import type { Place } from './sync-view.ts'

type ProbeFrame = Extract<Frame, { readonly type: 'probe' }>

interface Probed {
  readonly own: OwnChain
  /** Samples of the last probe. */
  asked: readonly Place[]
  /** How many bits the next answer has: one for each sample, or for each tip that was named. */
  bits: number
  isGivenUp: boolean
}

/** The rounds in which both sides trace their branches (SPEC RS-15 to RS-17). */
export class Probing {
  readonly #limits: SessionLimits
  readonly #chains = new Map<number, Probed>()
  /** The frames of a probe of which more are to come. */
  readonly #taking: ProbedChain[] = []
  #framesTaken = 0
  #probesSent = 0
  #probesTaken = 0
  #mayEnd = false

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  /** Adds a chain by its index in `mine`; the initiator has still to say which of `tipsNamed` tips it holds. */
  add(index: number, own: OwnChain, tipsNamed: number): void {
    this.#chains.set(index, { own, asked: [], bits: tipsNamed, isGivenUp: false })
  }

  /** Whether the other side may go on to transfer now: nothing was asked of it last. */
  get mayEnd(): boolean {
    return this.#mayEnd
  }

  /** The first probe: for each chain of which tips of the responder are lacking here, which of them are held. */
  async open(held: ReadonlyMap<number, readonly boolean[]>): Promise<Step> {
    const probe = await this.#probe(held)
    if (probe.length > 0) return this.#send(probe)
    return { ok: true, send: [{ type: 'probe', more: false, chains: [] }], next: 'transfer' }
  }

  /** Takes a frame of a probe. `isFirst`: of the first of the initiator. */
  async take(frame: ProbeFrame, isFirst: boolean): Promise<Step> {
    this.#framesTaken += 1
    this.#taking.push(...frame.chains)
    // [REJECT] RS-17.
    if (this.#framesTaken > CHAINS_FRAMES_MAX || samplesOf(this.#taking) > SAMPLES_MAX) {
      return failure('too-big', 'a probe is too large')
    }
    if (frame.more) return talk()
    this.#framesTaken = 0
    this.#probesTaken += 1
    // [REJECT] RS-17.
    if (this.#probesTaken > ROUNDS_MAX) return failure('too-big', `more than ${ROUNDS_MAX} probes`)
    return await this.#takeProbe(this.#taking.splice(0), isFirst)
  }

  async #takeProbe(chains: readonly ProbedChain[], isFirst: boolean): Promise<Step> {
    const problem = await this.#takeAnswers(chains, isFirst)
    if (problem !== null) return problem
    const held = new Map<number, readonly boolean[]>()
    for (const { index, asked } of chains) {
      const bits = asked.length === 0 ? null : ((await this.#chains.get(index)?.own.compare(asked)) ?? null)
      if (bits !== null) held.set(index, bits)
    }
    const probe = await this.#probe(held)
    return samplesOf(chains) > 0 || samplesOf(probe) > 0 ? this.#send(probe) : TRANSFER
  }

  async #takeAnswers(chains: readonly ProbedChain[], isFirst: boolean): Promise<SessionFailure | null> {
    const unanswered = new Set(this.#chains.keys())
    let before = -1
    for (const { index, held } of chains) {
      const probed = this.#chains.get(index)
      // [REJECT] RS-15: by index, ascending, and of chains that both know.
      if (index <= before || probed === undefined) return failure('bad-frame', 'a chain that is not probed')
      before = index
      // SPEC RS-15: samples may be left unanswered, the tips of an entry of the first probe may not.
      if (held.length === 0 && !isFirst) continue
      if (held.length !== probed.bits) return failure('bad-frame', 'answers to other questions')
      unanswered.delete(index)
      const { own, asked } = probed
      const isTrue = isFirst ? await own.takeHeld(held) : own.takeAnswers(asked, held)
      // [REJECT] RS-16.
      if (!isTrue) return failure('lied', 'an event is held, its ancestor is not')
    }
    for (const index of unanswered) {
      const probed = this.#chains.get(index)
      if (probed === undefined || probed.bits === 0) continue
      // SPEC RS-15: of a chain without an entry in the first probe the initiator holds all tips.
      if (isFirst) await probed.own.takeHeld(Array.from({ length: probed.bits }, () => true))
      else probed.isGivenUp = true
    }
    return null
  }

  /** The entries of the next probe: these answers, and own samples. */
  async #probe(held: ReadonlyMap<number, readonly boolean[]>): Promise<readonly ProbedChain[]> {
    const { samples, frameBytes, rounds } = this.#limits
    // The last round only answers.
    let samplesLeft = this.#probesSent < rounds - 1 ? samples : 0
    const ofChainMax = taggedMax(frameBytes)
    const entries: ProbedChain[] = []
    for (const [index, probed] of this.#chains) {
      const max = Math.min(samplesLeft, ofChainMax)
      const asked = max > 0 && !probed.isGivenUp ? await probed.own.samples(max) : []
      samplesLeft -= asked.length
      probed.asked = asked
      probed.bits = asked.length
      const answers = held.get(index) ?? []
      if (answers.length > 0 || asked.length > 0) entries.push({ index, held: answers, asked: asked.map(tagged) })
    }
    return entries
  }

  #send(probe: readonly ProbedChain[]): Step {
    const { frameBytes, chainsInFrame } = this.#limits
    this.#probesSent += 1
    this.#mayEnd = samplesOf(probe) === 0
    const packs = packed(probe, (entry) => encodeFrame({ type: 'probe', more: false, chains: [entry] }).length, {
      bytes: frameBytes - FRAME_HEAD_BYTES,
      entries: Math.min(chainsInFrame, CHAINS_IN_FRAME_MAX)
    })
    return talk(...packs.map((chains, at): Frame => ({ type: 'probe', more: at < packs.length - 1, chains })))
  }
}

const tagged = ({ position, tag }: TaggedPosition): TaggedPosition => ({ position, tag })

const samplesOf = (chains: readonly ProbedChain[]): number => chains.reduce((sum, { asked }) => sum + asked.length, 0)
