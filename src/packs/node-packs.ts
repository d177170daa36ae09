import { ANCHOR_PACK_TYPE, canonicalEvent, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { AuthoredEvent, Author, Pen } from '../authoring/author.ts'
import type { IngestDoor } from '../ingest/door.ts'
import type { AuditAction, AuditTrail } from '../platform/audit.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import { storedPacks } from '../projections/packs.ts'
import { openPlan } from '../trust/pack-plan.ts'
import type { PackState } from '../trust/pack-chain.ts'
import type { SignedDraft } from '../trust/signer-registry.ts'
import type { Signer } from '../trust/signer.ts'
import { audited } from './audited.ts'
import { judgeDraft } from './judge-draft.ts'
import type { NextPackMade, NextPackPorts } from './next-pack.ts'
import { makeNextPack } from './next-pack.ts'
import type { ReadDraft } from './pack-draft.ts'
import { draftSigningInput, makeDraft, missingKids, readDraft, wireOfDraft } from './pack-draft.ts'
import type { DraftedPack, PackDraft, PublishPackRequest, PublishedPack, SignPackRequest } from './pack-operations.ts'
import { packRefused } from './refusals.ts'

export interface NodePacksPorts extends NextPackPorts {
  readonly author: Author
  readonly door: IngestDoor
  readonly audit: AuditTrail
  /** Passes an event that is in the log on to the mesh. */
  readonly send: (event: AuthoredEvent) => Promise<Sent>
  /** The registry names another key for events now: answers whether the node signs with it already. */
  readonly signerMoved: () => Promise<boolean>
}

interface Sent {
  readonly id: string
  readonly logSeq: number
  readonly recipients: number
}

/** A node's part in the packs of its organisation: publishing, drafting, signing those of others. */
export class NodePacks {
  readonly #ports: NodePacksPorts
  /** Two packs that are made at the same time would take the same number, and freeze the organisation. */
  readonly #line = new InTurn()
  #holdsDraft = false

  constructor(ports: NodePacksPorts) {
    this.#ports = ports
  }

  /** Whether a draft of this node waits for signatures, as of the last `settle`. */
  get holdsDraft(): boolean {
    return this.#holdsDraft
  }

  /** Work that nothing else of this node's keys and packs runs beside. */
  async inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return await this.#line.run(async () => {
      const { engine, log } = this.#ports
      await log.recover()
      await engine.reached(log.head.logSeq, null, 'trust-anchors')
      return await work()
    })
  }

  async publish(request: PublishPackRequest): Promise<PublishedPack> {
    return await this.#audited('FED_ANCHOR_PUBLISH', () =>
      this.inTurn(async () => {
        if (request.recover === true)
          throw packRefused('PACK_THRESHOLD', 'a pack that recovers is a draft until it is pinned')
        const { author } = this.#ports
        const [made, authored] = await author.holding(TRUST_NAMESPACE, async (pen) => {
          await this.#makeRoomForNext(request)
          const next = await makeNextPack(this.#ports, request, { isDraft: false })
          if (next.missing.length > 0) throw signaturesMissing(next.missing)
          const written = await pen.write(ANCHOR_PACK_TYPE, TRUST_NAMESPACE, next.body, next.cosigners)
          await this.#settle()
          return [next, written] as const
        })
        return await this.#sent(authored, made.pack, made.hash)
      })
    )
  }

  async draft(request: PublishPackRequest): Promise<DraftedPack> {
    return await this.#audited('PACK_DRAFTED', () => this.inTurn(() => this.#draftNext(request)))
  }

  async #draftNext(request: PublishPackRequest): Promise<DraftedPack> {
    const { author, registry } = this.#ports
    return await author.holding(TRUST_NAMESPACE, async (pen) => {
      await this.#makeRoomForNext(request)
      const next = await makeNextPack(this.#ports, request, { isDraft: true })
      const { packSeq } = next.pack
      await this.#noteSigned({ packSeq, packHash: next.hash })
      const draft = await this.#signedDraft(pen, next)
      // Before anybody else can see it: what was signed must not be forgotten.
      await registry.saveDraft(draft)
      this.#holdsDraft = true
      const { pack, hash, missing } = next
      return { orgId: pack.orgId, packSeq: pack.packSeq, packHash: hash, draft, missing }
    })
  }

  async sign(draft: PackDraft, request: SignPackRequest): Promise<DraftedPack> {
    return await this.#audited('PACK_SIGNED', () => this.inTurn(() => this.#signDraft(readDraft(draft), request)))
  }

  async #signDraft(read: ReadDraft, { discardDraft = false }: SignPackRequest): Promise<DraftedPack> {
    await judgeDraft(this.#ports, read, { toPublish: false })
    const mine = await this.#signersOf(read)
    if (mine.length === 0) {
      throw new AnchormeshError('KEY_NOT_HELD', 'this machine holds none of the keys that the draft names', {
        hint: `It is to be signed by ${missingKids(read).join(', ') || 'nobody any more'}.`
      })
    }
    const open = mine.filter(({ kid }) => missingKids(read).includes(kid))
    if (open.length === 0) {
      throw new AnchormeshError('PACK_ALREADY_SIGNED', `${mine.map(({ kid }) => kid).join(', ')} signed it already`, {
        hint: describeMissing(missingKids(read))
      })
    }
    await this.#takePlaceFor(read, discardDraft)
    return drafted(await withSignatures(read, open))
  }

  async complete(draft: PackDraft): Promise<PublishedPack> {
    const read = readDraft(draft)
    return await this.#audited('FED_ANCHOR_PUBLISH', () =>
      this.inTurn(async () => {
        const { author } = this.#ports
        const authored = await author.holding(TRUST_NAMESPACE, async (pen) => {
          await judgeDraft(this.#ports, read, { toPublish: true })
          const open = (await this.#signersOf(read)).filter(({ kid }) => missingKids(read).includes(kid))
          if (open.length > 0) await this.#takePlaceFor(read, false)
          const whole = await withSignatures(read, open)
          const missing = missingKids(whole)
          if (missing.length > 0) throw signaturesMissing(missing)
          // Once more, now with every signature.
          await judgeDraft(this.#ports, whole, { toPublish: true })
          const written = await this.#handIn(pen, whole)
          await this.#settle()
          return written
        })
        return await this.#sent(authored, read.pack, read.hash)
      })
    )
  }

  /** The draft of this node that waits; `null` where there is none, or its place was taken. */
  async waitingDraft(): Promise<ReadDraft | null> {
    const draft = await this.#ports.registry.draft()
    if (draft === null) return null
    const read = readDraft(draft)
    const { head } = await this.#stored()
    return read.pack.packSeq > head.packSeq ? read : null
  }

  /** Takes note of what is in force now: see `#settle`. */
  async settle(): Promise<void> {
    await this.inTurn(() => this.#settle())
  }

  /**
   * After the packs may have changed: forgets what they fulfilled, a draft whose place is taken, and has events signed
   * with the newest key that is held here once packs say that it is good for them. Not before, because nobody else
   * could know it.
   */
  async #settle(): Promise<void> {
    const { engine, log, registry } = this.#ports
    await engine.reached(log.head.logSeq, null, 'trust-anchors')
    const { head } = await this.#stored()
    const plan = await registry.plan()
    const open = openPlan(plan, head)
    if (open.keys.length < plan.keys.length || open.threshold !== plan.threshold) await registry.savePlan(open)
    this.#holdsDraft = (await this.waitingDraft()) !== null
    if (!this.#holdsDraft && (await registry.draft()) !== null) await registry.saveDraft(null)
    await this.#moveSigning(head)
  }

  async #moveSigning(head: PackState): Promise<void> {
    const { registry, signer, signerMoved } = this.#ports
    const { keys, signing } = await registry.held()
    const newest = keys.findLast(({ kid, publicKey, uses }) => {
      const given = head.keys.get(kid)?.key
      const isGood = given?.status === 'ACTIVE' && given.uses.includes('event') && given.publicKey === publicKey
      return isGood && uses.includes('event')
    })
    if (newest === undefined) return
    if (newest.kid !== signing) await registry.moveSigning(newest.kid)
    if (newest.kid !== signer().kid) await signerMoved()
  }

  async #stored() {
    const { engine, policy } = this.#ports
    return await storedPacks(engine, policy().self.orgId, policy())
  }

  /**
   * A draft that others may still complete keeps its number, and its place in this node's chain. One that is given up is
   * forgotten with the next, or once its number is taken.
   */
  async #makeRoomForNext({ discardDraft = false }: PublishPackRequest): Promise<void> {
    const waiting = await this.waitingDraft()
    if (waiting !== null && !discardDraft) {
      throw new AnchormeshError('PACK_DRAFT_PENDING', `a draft of pack ${waiting.pack.packSeq} waits for signatures`, {
        hint:
          'Complete it with anchormesh pack publish FILE (it stands in pending-pack.json of the data folder, too), or give ' +
          'it up with --discard-draft: if somebody has all its signatures, publishing both freezes the organisation.',
        detail: { packSeq: waiting.pack.packSeq, packHash: waiting.hash, missing: missingKids(waiting) }
      })
    }
    const { head, frozen } = await this.#stored()
    // Where two were completed nothing is made at all until one is pinned.
    if (!frozen) await this.#refuseSecond(head.packSeq + 1, null, discardDraft)
  }

  /** Two drafts of one number that this machine signs could both become packs, and freeze the organisation. */
  async #takePlaceFor({ pack: { packSeq }, hash: packHash }: ReadDraft, discardDraft: boolean): Promise<void> {
    await this.#refuseSecond(packSeq, packHash, discardDraft)
    const own = await this.waitingDraft()
    if (own !== null && own.hash !== packHash) await this.#ports.registry.saveDraft(null)
    await this.#noteSigned({ packSeq, packHash })
  }

  async #refuseSecond(packSeq: number, packHash: string | null, discardDraft: boolean): Promise<void> {
    const { signed } = await this.#ports.registry.plan()
    if (discardDraft || signed?.packSeq !== packSeq || signed.packHash === packHash) return
    throw new AnchormeshError('PACK_DRAFT_PENDING', `this machine has signed another draft of pack ${packSeq}`, {
      hint:
        `It is ${signed.packHash}. If it can't be completed any more, give it up with --discard-draft (pack sign, pack ` +
        'publish): if somebody has all its signatures, publishing both freezes the organisation.',
      detail: { packSeq, packHash: signed.packHash }
    })
  }

  /** Before the signature is anybody's: what was signed must not be forgotten. */
  async #noteSigned(signed: SignedDraft): Promise<void> {
    const { registry } = this.#ports
    await registry.savePlan({ ...(await registry.plan()), signed })
  }

  async #signedDraft(pen: Pen, { body, cosigners }: NextPackMade): Promise<PackDraft> {
    const envelope = await pen.envelope(ANCHOR_PACK_TYPE, TRUST_NAMESPACE, body)
    const canonical = canonicalEvent(envelope)
    const signatures = await Promise.all(
      [this.#ports.signer(), ...cosigners].map(async (signer) => ({
        kid: signer.kid,
        signature: await signer.sign(eventSigningInput(ANCHOR_PACK_TYPE, signer.kid, canonical))
      }))
    )
    return makeDraft(envelope, signatures)
  }

  /** Whoever the draft names and is held here. Throws for a kid that stands for another key here. */
  async #signersOf({ pack }: ReadDraft): Promise<readonly Signer[]> {
    const { registry, signer } = this.#ports
    const own = signer()
    const { head } = await this.#stored()
    const found: Signer[] = []
    for (const kid of pack.signingKids) {
      const one = kid === own.kid ? own : await registry.signer(kid)
      if (one === null) continue
      const given = pack.keys.find((key) => key.kid === kid) ?? head.keys.get(kid)?.key
      if (given?.publicKey !== toBase64url(one.publicKey))
        throw packRefused('PACK_SIGNER_FOREIGN', `${kid} is another key here than in the draft`)
      found.push(one)
    }
    return found
  }

  /** By the door like everybody's; this node's own as its own. */
  async #handIn(pen: Pen, draft: ReadDraft): Promise<AuthoredEvent> {
    const { signer, door } = this.#ports
    const { id } = draft
    const { namespace } = draft.envelope
    const wire = wireOfDraft(draft)
    const own = signer()
    if (draft.envelope.signer === own.did && draft.envelope.kid === own.kid)
      return await pen.handIn({ id, namespace, wire })
    const outcome = await door.submit(wire, { via: 'import' })
    if (outcome.outcome === 'accepted') return { id, logSeq: outcome.logSeq, namespace, wire }
    if (outcome.outcome === 'duplicate') throw packRefused('SAME_ID_OTHER_BYTES', 'the pack is published already')
    if (outcome.outcome === 'pending') throw new AnchormeshError('NOT_YET', `the event waits: ${outcome.detail}`)
    throw packRefused(outcome.code, `the event was not accepted: ${outcome.detail}`)
  }

  async #sent(
    authored: AuthoredEvent,
    { orgId, packSeq }: { readonly orgId: string; readonly packSeq: number },
    packHash: string
  ): Promise<PublishedPack> {
    return { ...(await this.#ports.send(authored)), orgId, packSeq, packHash }
  }

  async #audited<Made extends PublishedPack | DraftedPack>(
    action: AuditAction,
    work: () => Promise<Made>
  ): Promise<Made> {
    const { audit, policy, signer } = this.#ports
    const entry = { action, actor: signer().did, subject: policy().self.orgId }
    return await audited(audit, entry, work, (made) => {
      const { packSeq, packHash } = made
      return { packSeq, packHash, ...('id' in made ? { eventId: made.id } : {}) }
    })
  }
}

function drafted(read: ReadDraft): DraftedPack {
  const { pack, hash, envelope, signatures } = read
  const draft = makeDraft(envelope, signatures)
  return { orgId: pack.orgId, packSeq: pack.packSeq, packHash: hash, draft, missing: missingKids(read) }
}

async function withSignatures(draft: ReadDraft, signers: readonly Signer[]): Promise<ReadDraft> {
  const added = await Promise.all(
    signers.map(async (signer) => ({
      kid: signer.kid,
      signature: await signer.sign(draftSigningInput(draft, signer.kid))
    }))
  )
  return { ...draft, signatures: [...draft.signatures, ...added] }
}

function signaturesMissing(missing: readonly string[]): AnchormeshError {
  return new AnchormeshError(
    'PACK_SIGNATURES_MISSING',
    `the pack still needs the signatures of ${missing.join(', ')}`,
    {
      hint: 'On the machines that hold these keys: anchormesh pack sign FILE',
      detail: { missing }
    }
  )
}

function describeMissing(missing: readonly string[]): string {
  return missing.length === 0
    ? 'It has all its signatures: anchormesh pack publish FILE'
    : `It still needs ${missing.join(', ')}.`
}
