import { Initiator as Reconciler } from '../../protocols/negentropy/v1/reconcile.ts'
import { equalBytes, toHex } from '../../protocols/primitives/bytes.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { AnsweredChain, Frame, Matched, NamedChain } from '../../protocols/range-sync/v1/frames.ts'
import {
  CHAINS_FRAMES_MAX,
  CHAINS_IN_FRAME_MAX,
  ITEM_PREFIX_BYTES,
  MEMBERSHIP_BYTES
} from '../../protocols/range-sync/v1/frames.ts'
import { chainItems, prefixOf } from './chain-items.ts'
import { FRAME_HEAD_BYTES, packed, tipsNamedMax } from './frame-packing.ts'
import type { SessionLimits } from './limits.ts'
import { LookupBudget } from './lookups.ts'
import { OwnChain } from './own-chain.ts'
import { Probing } from './probing.ts'
import type { SideOptions, Step } from './step.ts'
import { failure, talk, TRANSFER } from './step.ts'
import { sketchEntry } from './sketch.ts'
import type { SyncView } from './sync-view.ts'
import type { ChainTips } from './tip-table.ts'
import { TransferPlan } from './transfer-plan.ts'

type State = 'asked' | 'reconciling' | 'named' | 'probing' | 'transfer' | 'over'

/**
 * The side that opens a session, as a machine: frames in, frames out (SPEC, "Course of a session"). It reads its view
 * and nothing else.
 */
export class SessionInitiator {
  readonly #view: SyncView
  readonly #options: SideOptions
  readonly #probing: Probing
  readonly plan: TransferPlan
  #state: State = 'asked'
  #salt = new Uint8Array()
  #reconciler: Reconciler | null = null
  /** States of own chains that the responder does not have, and what it has that is not here, as the items say. */
  readonly #have = new Set<string>()
  readonly #need: Uint8Array[] = []
  /** The chains that were named, by index; ids of those that are not wanted. */
  #named: readonly (OwnChain | string)[] = []
  #answersTaken = 0
  #answeredBefore = -1
  /** Which of the responder's tips are held here, for the chains of which some are not. */
  readonly #heldOfTheirs = new Map<number, readonly boolean[]>()
  #hasTips = false
  /** Chain ids of which the responder was told that nothing of them is wanted. */
  readonly toldUnwanted = new Set<string>()
  #membershipDiffers = false

  constructor(view: SyncView, options: SideOptions) {
    this.#view = view
    this.#options = options
    this.#probing = new Probing(options.limits)
    this.plan = new TransferPlan(view)
  }

  /** Whether the other side was told of all that is held here, so that none of it may come (RS-19). */
  get toldAll(): boolean {
    return this.plan.toldAll
  }

  /** Whether the members of the namespace differ, so that equal sets are not to be expected (RS-7). */
  get membershipDiffers(): boolean {
    return this.#membershipDiffers
  }

  /** The first frame. */
  hello(): Frame {
    const { namespace, membership, tips } = this.#view
    return { type: 'hello', namespace, membership, root: tips.root(), chains: tips.chains }
  }

  /** Takes a frame of the responder that belongs before the transfer; `events` and `done` only begin it. */
  async take(frame: Frame): Promise<Step> {
    if (this.#state === 'asked' && (frame.type === 'equal' || frame.type === 'sketch' || frame.type === 'tree')) {
      this.#membershipDiffers = !equalBytes(frame.membership, this.#view.membership.subarray(0, MEMBERSHIP_BYTES))
      if (frame.type === 'equal') return this.#equal()
      this.#salt = Uint8Array.from(frame.salt)
      if (frame.type === 'sketch') return this.#nameAfterSketch(frame.entries)
      const { frameBytes, rounds } = this.#options.limits
      this.#reconciler = new Reconciler(chainItems(this.#view.tips), {
        frameBytesMax: frameBytes - 1,
        roundsMax: rounds
      })
      return this.#reconcile(frame.message)
    }
    if (this.#state === 'reconciling' && frame.type === 'negentropy') return this.#reconcile(frame.message)
    if (this.#state === 'named' && frame.type === 'answer') return await this.#takeAnswer(frame.more, frame.chains)
    if (this.#state === 'probing') return await this.#takeWhileProbing(frame)
    // [REJECT] RS-4.
    return failure('bad-frame', `${frame.type} does not come here`)
  }

  #equal(): Step {
    this.#state = 'over'
    return { ok: true, send: [], next: 'equal' }
  }

  #nameAfterSketch(entries: readonly Uint8Array[]): Step {
    const here = new Map<string, string[]>()
    for (const { chain, state } of this.#view.tips) {
      const entry = toHex(sketchEntry(this.#salt, state))
      here.set(entry, [...(here.get(entry) ?? []), chain])
    }
    const sketched = new Set(entries.map(toHex))
    // Of two chains here that look alike, by chance, both have the state or neither: else all of one would come again.
    const bits = entries.map((entry) => here.has(toHex(entry)))
    const differing = [...here].filter(([entry]) => !sketched.has(entry)).flatMap(([, chains]) => chains)
    return this.#name(new Set(differing), bits)
  }

  #reconcile(message: Uint8Array): Step {
    const found = this.#reconciler?.reconcile(message)
    if (found === undefined) throw new Error('there is nothing to reconcile')
    for (const state of found.have) this.#have.add(toHex(state))
    this.#need.push(...found.need)
    // What the rounds did not bring out is left for the next session.
    if (!found.ok && found.code !== 'TOO_MANY_ROUNDS') return failure('bad-frame', found.detail)
    if (found.ok && found.next !== null) {
      this.#state = 'reconciling'
      return talk({ type: 'negentropy', message: found.next })
    }
    if (!found.ok) this.plan.leave()
    const differing = new Set<string>()
    for (const { chain, state } of this.#view.tips) if (this.#have.has(toHex(state))) differing.add(chain)
    return this.#name(differing, null)
  }

  /** Sends `chains` (RS-12). `bits` is what a sketch is answered with, null after a tree. */
  #name(differing: ReadonlySet<string>, bits: readonly boolean[] | null): Step {
    const { limits, unwanted } = this.#options
    const ports = {
      view: this.#view,
      salt: this.#salt,
      budget: new LookupBudget(limits.lookups),
      tipsNamedMax: tipsNamedMax(limits)
    }
    const own: (OwnChain | string)[] = []
    const mine: NamedChain[] = []
    for (const chain of mergedChains(this.#view.tips, differing, unwanted)) {
      const isWanted = typeof chain !== 'string'
      const named = isWanted ? new OwnChain(chain, ports) : chain
      own.push(named)
      mine.push({
        prefix: prefixOf(isWanted ? chain.chain : chain),
        tips: typeof named === 'string' ? [] : named.named
      })
    }
    const theirs: Matched = bits === null ? { of: 'tree', missing: this.#need } : { of: 'sketch', bits }
    const frames = chainsFrames(mine, theirs, limits)
    const sent = frames.slice(0, Math.min(limits.chainsFrames, CHAINS_FRAMES_MAX))
    const count = sent.reduce((sum, frame) => sum + frame.mine.length, 0)
    this.#named = own.slice(0, count)
    if (sent.length < frames.length) this.plan.leave()
    for (const chain of this.#named) {
      if (typeof chain === 'string') this.toldUnwanted.add(chain)
      else this.plan.add(chain)
    }
    this.#state = 'named'
    return talk(...sent.map((frame, at): Frame => ({ type: 'chains', more: at < sent.length - 1, ...frame })))
  }

  async #takeAnswer(more: boolean, chains: readonly AnsweredChain[]): Promise<Step> {
    this.#answersTaken += 1
    // [REJECT] RS-12, RS-13.
    if (this.#answersTaken > CHAINS_FRAMES_MAX) return failure('too-big', 'too many answers')
    for (const { index, held, tips } of chains) {
      const own = this.#named[index]
      if (
        own === undefined ||
        typeof own === 'string' ||
        index <= this.#answeredBefore ||
        held.length !== own.named.length
      ) {
        return failure('bad-frame', 'an answer to what was not named')
      }
      this.#answeredBefore = index
      if (!(await own.takeHeld(held))) return failure('lied', 'an event is held, its ancestor is not')
      this.#hasTips ||= tips.length > 0
      const theirs = await own.compare(tips)
      // Without a look at them nothing can be traced: the chain is left, and the responder is told nothing of it.
      if (theirs === null) continue
      if (theirs.every(Boolean)) {
        own.otherIsKnown()
        continue
      }
      this.#heldOfTheirs.set(index, theirs)
      this.#probing.add(index, own, 0)
    }
    if (more) return talk()
    if (!this.#hasTips) return this.#transfer()
    this.#state = 'probing'
    const step = await this.#probing.open(this.#heldOfTheirs)
    if (step.ok && step.next === 'transfer') this.#state = 'transfer'
    return step
  }

  async #takeWhileProbing(frame: Frame): Promise<Step> {
    if (frame.type === 'probe') {
      const step = await this.#probing.take(frame, false)
      if (step.ok && step.next === 'transfer') this.#state = 'transfer'
      return step
    }
    // SPEC RS-15: who was asked nothing and asks nothing goes on.
    if ((frame.type === 'events' || frame.type === 'done') && this.#probing.mayEnd) return this.#transfer()
    return failure('bad-frame', `${frame.type} does not come here`)
  }

  #transfer(): Step {
    this.#state = 'transfer'
    return TRANSFER
  }
}

/** The chains that differ, and the ids of those that are not wanted, in ascending order of chain id. */
function* mergedChains(
  tips: Iterable<ChainTips>,
  differing: ReadonlySet<string>,
  unwanted: ReadonlySet<string>
): Generator<ChainTips | string> {
  const refused = [...unwanted].sort()
  let next = 0
  for (const chain of tips) {
    for (let id = refused[next]; id !== undefined && id <= chain.chain; id = refused[next]) {
      next += 1
      if (id !== chain.chain || !differing.has(id)) yield id
    }
    if (differing.has(chain.chain)) yield chain
  }
  yield* refused.slice(next)
}

/** Parts what is named among frames (RS-12). */
function chainsFrames(
  mine: readonly NamedChain[],
  theirs: Matched,
  { frameBytes, chainsInFrame }: SessionLimits
): readonly { readonly matched: Matched; readonly mine: readonly NamedChain[] }[] {
  const entries = Math.min(chainsInFrame, CHAINS_IN_FRAME_MAX)
  const itemsInFrame = Math.min(entries, Math.floor(frameBytes / 4 / ITEM_PREFIX_BYTES))
  const [taken, least] =
    theirs.of === 'tree'
      ? [itemsInFrame * ITEM_PREFIX_BYTES, Math.ceil(theirs.missing.length / itemsInFrame)]
      : [Math.ceil(theirs.bits.length / 8), 1]
  const bytes = frameBytes - FRAME_HEAD_BYTES - taken
  const packs = packed(mine, (chain) => encodeFrame(frameOf([chain])).length, { bytes, entries })
  return Array.from({ length: Math.max(packs.length, least) }, (_, at) => ({
    matched: partOf(theirs, at, itemsInFrame),
    mine: packs[at] ?? []
  }))
}

function partOf(theirs: Matched, at: number, itemsInFrame: number): Matched {
  if (theirs.of === 'sketch') return { of: 'sketch', bits: at === 0 ? theirs.bits : [] }
  const part = theirs.missing.slice(at * itemsInFrame, (at + 1) * itemsInFrame)
  return { of: 'tree', missing: part.map((item) => item.subarray(0, ITEM_PREFIX_BYTES)) }
}

function frameOf(mine: readonly NamedChain[]): Frame {
  return { type: 'chains', more: false, matched: { of: 'sketch', bits: [] }, mine }
}
