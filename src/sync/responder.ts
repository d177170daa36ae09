import type { PackedItems } from '../../protocols/negentropy/v1/items.ts'
import { answer, opening } from '../../protocols/negentropy/v1/reconcile.ts'
import { equalBytes, toHex } from '../../protocols/primitives/bytes.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { AnsweredChain, Frame, Matched, NamedChain } from '../../protocols/range-sync/v1/frames.ts'
import {
  CHAINS_FRAMES_MAX,
  CHAINS_IN_FRAME_MAX,
  ITEM_PREFIX_BYTES,
  MEMBERSHIP_BYTES,
  ROUNDS_MAX,
  SKETCH_ENTRY_BYTES
} from '../../protocols/range-sync/v1/frames.ts'
import { chainItems, prefixOf } from './chain-items.ts'
import { FRAME_HEAD_BYTES, packed, tipsNamedMax } from './frame-packing.ts'
import type { SessionLimits } from './limits.ts'
import { LookupBudget } from './lookups.ts'
import type { ChainPorts } from './own-chain.ts'
import { OwnChain } from './own-chain.ts'
import { Probing } from './probing.ts'
import { sketchEntry } from './sketch.ts'
import type { SessionFailure, SideOptions, Step } from './step.ts'
import { failure, talk, TRANSFER } from './step.ts'
import type { SyncView } from './sync-view.ts'
import type { ChainTips } from './tip-table.ts'
import { TransferPlan } from './transfer-plan.ts'

type State = 'listening' | 'offered' | 'probing' | 'transfer' | 'over'

/** What stands before the message in a `tree` frame, at most: type, digest, salt, number of chains. */
const TREE_HEAD_BYTES = 41

/**
 * Chains in a part of the first message: the initiator splits a part that differs into 16 of six, which are listed
 * then. So 100,000 chains take one round beside the tree itself.
 */
const CHAINS_IN_PART = 96
const PARTS_MIN = 16

type Hello = Extract<Frame, { readonly type: 'hello' }>
type AnswerFrame = Extract<Frame, { readonly type: 'answer' }>

/** The side that answers a session, as a machine: frames in, frames out. It reads its view and nothing else. */
export class SessionResponder {
  readonly #view: SyncView
  readonly #limits: SessionLimits
  readonly #probing: Probing
  readonly plan: TransferPlan
  readonly #ports: ChainPorts
  #state: State = 'listening'
  #offered: 'sketch' | 'tree' = 'sketch'
  #rounds = 0
  /** Own chains that may have to be sent: those that the initiator did not match. */
  #unmatched = new Map<string, ChainTips>()
  /** The chains of the sketch, in its order. */
  #sketched: readonly ChainTips[] = []
  #items: PackedItems | null = null
  /** Own chains by the names of their items (RS-12). */
  #byItem: ReadonlyMap<string, ChainTips> | null = null
  #framesTaken = 0
  #chainsNamed = 0
  #namedBefore = ''
  readonly #named = new Set<string>()
  /** Chains of which nothing is wanted, by prefix (hex). */
  readonly #unwanted: ReadonlyMap<string, string>
  /** Those of them that the initiator named. */
  readonly toldUnwanted = new Set<string>()
  /** `own`: null for a chain of which nothing is held. */
  readonly #answers: { readonly answer: AnsweredChain; readonly own: OwnChain | null }[] = []
  #isFirstProbe = true
  #membershipDiffers = false

  /** `salt`: 16 random bytes, fresh for each session. */
  constructor(view: SyncView, salt: Uint8Array, { limits, unwanted }: SideOptions) {
    this.#view = view
    this.#limits = limits
    this.#probing = new Probing(limits)
    this.plan = new TransferPlan(view)
    this.#unwanted = new Map([...unwanted].map((chain) => [toHex(prefixOf(chain)), chain]))
    const budget = new LookupBudget(limits.lookups)
    this.#ports = { view, salt, budget, tipsNamedMax: tipsNamedMax(limits) }
  }

  /** Whether the other side was told of all that is held here, so that none of it may come (RS-19). */
  get toldAll(): boolean {
    return this.plan.toldAll
  }

  /** Whether the members of the namespace differ, so that equal sets are not to be expected (RS-7). */
  get membershipDiffers(): boolean {
    return this.#membershipDiffers
  }

  /** Answers `hello`, whose namespace is that of the view. */
  begin(hello: Hello): Step {
    const { salt } = this.#ports
    const { tips } = this.#view
    const membership = this.#view.membership.subarray(0, MEMBERSHIP_BYTES)
    this.#membershipDiffers = !equalBytes(hello.membership, membership)
    if (equalBytes(hello.root, tips.root())) {
      this.#state = 'over'
      return { ok: true, send: [{ type: 'equal', membership }], next: 'equal' }
    }
    this.#state = 'offered'
    // SPEC RS-9: to an initiator without chains a sketch without entries says all.
    const fits = tips.chains <= this.#sketchMax()
    if (hello.chains === 0 || fits) {
      const chains = [...tips]
      this.#unmatched = new Map(chains.map((chain) => [chain.chain, chain]))
      this.#sketched = hello.chains === 0 ? [] : chains
      const entries = this.#sketched.map(({ state }) => sketchEntry(salt, state))
      return talk({ type: 'sketch', membership, salt, entries })
    }
    this.#offered = 'tree'
    this.#items = chainItems(tips)
    const message = opening(this.#items, {
      frameBytesMax: this.#limits.frameBytes - TREE_HEAD_BYTES,
      initialBuckets: Math.max(PARTS_MIN, Math.ceil(tips.chains / CHAINS_IN_PART))
    })
    return talk({ type: 'tree', membership, salt, chains: tips.chains, message })
  }

  /** Takes a frame of the initiator that belongs before the transfer; `events` and `done` only begin it. */
  async take(frame: Frame): Promise<Step> {
    if (this.#state === 'offered' && frame.type === 'negentropy' && this.#offered === 'tree') {
      return this.#reconcile(frame.message)
    }
    if (this.#state === 'offered' && frame.type === 'chains') return await this.#takeChains(frame)
    if (this.#state === 'probing' && frame.type === 'probe') return await this.#takeProbe(frame)
    // SPEC RS-15: who was asked nothing and asks nothing goes on.
    if (
      this.#state === 'probing' &&
      !this.#isFirstProbe &&
      this.#probing.mayEnd &&
      (frame.type === 'events' || frame.type === 'done')
    ) {
      this.#state = 'transfer'
      return TRANSFER
    }
    // [REJECT] RS-4.
    return failure('bad-frame', `${frame.type} does not come here`)
  }

  #sketchMax(): number {
    const { sketchChains, frameBytes } = this.#limits
    return Math.min(sketchChains, Math.floor((frameBytes - TREE_HEAD_BYTES) / SKETCH_ENTRY_BYTES))
  }

  #reconcile(message: Uint8Array): Step {
    this.#rounds += 1
    // [REJECT] RS-17.
    if (this.#rounds > ROUNDS_MAX) return failure('too-big', `more than ${ROUNDS_MAX} rounds`)
    this.#items ??= chainItems(this.#view.tips)
    const answered = answer(this.#items, message, { frameBytesMax: this.#limits.frameBytes - 1 })
    if (!answered.ok) return failure('bad-frame', answered.detail)
    return talk({ type: 'negentropy', message: answered.message })
  }

  async #takeChains(frame: Extract<Frame, { readonly type: 'chains' }>): Promise<Step> {
    this.#framesTaken += 1
    // [REJECT] RS-12.
    if (this.#framesTaken > CHAINS_FRAMES_MAX) return failure('too-big', 'too many chains are named')
    const problem = this.#takeMatched(frame.matched) ?? (await this.#takeNamed(frame.mine))
    if (problem !== null) return problem
    if (frame.more) return talk()
    for (const chain of this.#unmatched.values()) {
      const own = new OwnChain(chain, this.#ports)
      own.otherIsKnown()
      this.plan.add(own)
    }
    const frames = this.#answerFrames()
    const hasTips = frames.some(({ chains }) => chains.some(({ tips }) => tips.length > 0))
    this.#state = hasTips ? 'probing' : 'transfer'
    return { ok: true, send: frames, next: hasTips ? 'talk' : 'transfer' }
  }

  #takeMatched(matched: Matched): SessionFailure | null {
    // [REJECT] RS-12.
    if (matched.of !== this.#offered) return failure('bad-frame', 'chains are matched with what was not offered')
    if (matched.of === 'tree') return this.#takeMissing(matched.missing)
    const count = this.#framesTaken === 1 ? this.#sketched.length : 0
    if (matched.bits.length !== count) return failure('bad-frame', `${matched.bits.length} bits for ${count} entries`)
    for (const [index, isMatched] of matched.bits.entries()) {
      if (isMatched) this.#unmatched.delete(this.#sketched[index]?.chain ?? '')
    }
    return null
  }

  /** SPEC RS-12: items that the initiator lacks, each by the first 12 bytes of its id, which is the chain's state. */
  #takeMissing(missing: readonly Uint8Array[]): SessionFailure | null {
    this.#byItem ??= new Map([...this.#view.tips].map((chain) => [itemName(chain.state), chain]))
    for (const item of missing) {
      const chain = this.#byItem.get(toHex(item))
      if (chain === undefined) return failure('bad-frame', 'an item is lacking that is not here')
      if (!this.#named.has(chain.chain)) this.#unmatched.set(chain.chain, chain)
    }
    return null
  }

  async #takeNamed(mine: readonly NamedChain[]): Promise<SessionFailure | null> {
    for (const { prefix, tips } of mine) {
      const name = toHex(prefix)
      // [REJECT] RS-12: in ascending order.
      if (name <= this.#namedBefore) return failure('bad-frame', 'the chains are not in order')
      this.#namedBefore = name
      const index = this.#chainsNamed
      this.#chainsNamed += 1
      const chain = this.#view.tips.find(name)
      if (chain !== undefined) {
        this.#unmatched.delete(chain.chain)
        this.#named.add(chain.chain)
      }
      // SPEC RS-12: it is not wanted there.
      if (tips.length === 0) continue
      if (chain === undefined) {
        const unwanted = this.#unwanted.get(name)
        // SPEC RS-13: an answer is for what is wanted.
        if (unwanted !== undefined) this.toldUnwanted.add(unwanted)
        else this.#answers.push({ answer: { index, held: tips.map(() => false), tips: [] }, own: null })
        continue
      }
      const own = new OwnChain(chain, this.#ports)
      const held = await own.compare(tips)
      this.plan.add(own)
      if (held === null) {
        // Nothing could be looked at: the initiator is not answered, and the chain is left.
        this.plan.leave()
      } else if (held.every(Boolean)) {
        own.otherIsKnown()
      } else {
        this.#answers.push({ answer: { index, held, tips: own.named }, own })
      }
    }
    return null
  }

  async #takeProbe(frame: Extract<Frame, { readonly type: 'probe' }>): Promise<Step> {
    const step = await this.#probing.take(frame, this.#isFirstProbe)
    if (!frame.more) this.#isFirstProbe = false
    if (step.ok && step.next === 'transfer') this.#state = 'transfer'
    return step
  }

  #answerFrames(): readonly AnswerFrame[] {
    const { frameBytes, chainsInFrame, chainsFrames } = this.#limits
    const packs = packed(
      this.#answers,
      ({ answer: chain }) => encodeFrame({ type: 'answer', more: false, chains: [chain] }).length,
      {
        bytes: frameBytes - FRAME_HEAD_BYTES,
        entries: Math.min(chainsInFrame, CHAINS_IN_FRAME_MAX)
      }
    )
    // SPEC RS-13: where forks here make the answers longer than may be sent, those chains are left.
    const sent = packs.slice(0, Math.min(chainsFrames, CHAINS_FRAMES_MAX))
    if (sent.length < packs.length) this.plan.leave()
    for (const { answer: chain, own } of sent.flat()) {
      if (own !== null) this.#probing.add(chain.index, own, chain.tips.length)
    }
    return sent.map((pack, at) => ({
      type: 'answer',
      more: at < sent.length - 1,
      chains: pack.map(({ answer: chain }) => chain)
    }))
  }
}

const itemName = (state: Uint8Array): string => toHex(state.subarray(0, ITEM_PREFIX_BYTES))
