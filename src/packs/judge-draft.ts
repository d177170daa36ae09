import type { AnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import { verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import { chainIdOf } from '../events/chain.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { storedPacks } from '../projections/packs.ts'
import { checkKeyOnce } from '../trust/checked-keys.ts'
import type { PackState } from '../trust/pack-chain.ts'
import { hasGoodKeys, judgePack } from '../trust/pack-chain.ts'
import { ownTips } from './own-tips.ts'
import type { TipPorts } from './own-tips.ts'
import type { ReadDraft } from './pack-draft.ts'
import { draftSigningInput } from './pack-draft.ts'
import { packRefused, staleDraft } from './refusals.ts'

export interface JudgePorts extends TipPorts {
  readonly engine: ProjectionEngine
}

/** A draft that would be a good pack, by this node's own view. */
export interface GoodDraft {
  readonly before: PackState
  readonly after: PackState
}

/**
 * Judges a draft as this node would judge the pack if it were published now. Throws `PUBLISH_REFUSED` with the code that
 * it would get, `PACK_DRAFT_STALE`, `PACK_DRAFT_ALTERED` for a signature that is not good; `toPublish` also `NOT_YET` where
 * what it follows in its author's chain is not here.
 */
export async function judgeDraft(
  ports: JudgePorts,
  draft: ReadDraft,
  { toPublish }: { readonly toPublish: boolean }
): Promise<GoodDraft> {
  const view = ports.policy()
  const { orgId } = view.self
  const { pack, hash, envelope } = draft
  if (pack.orgId !== orgId || view.orgOf(envelope.signer) !== orgId) {
    throw packRefused(
      'PACK_SIGNER_FOREIGN',
      `the draft is of ${pack.orgId}, by ${envelope.signer}; this node is of ${orgId}`
    )
  }
  const { root, head, frozen } = await storedPacks(ports.engine, orgId, view)
  if (frozen) throw packRefused('PACK_FORK', `two packs of ${orgId} stand at number ${head.packSeq + 1}`)
  refuseOtherPlace(pack, hash, head)
  const judged = judgePack(root, head, { hash, pack })
  if (!judged.ok) throw packRefused(judged.effect, `the pack of the draft would have no effect: ${judged.effect}`)
  if (!hasGoodKeys(pack)) throw packRefused('KEY_WEAK', 'the draft gives a public key that is none')
  for (const { kid, signature } of draft.signatures) {
    const key = checkKeyOnce(judged.state.keys.get(kid)?.key.publicKey ?? '')
    if (key.ok && verifyEd25519(key.key, draftSigningInput(draft, kid), signature)) continue
    throw new AnchormeshError('PACK_DRAFT_ALTERED', `the signature of ${kid} does not fit the bytes of the draft`, {
      hint: 'Get the file once more from where it was made.'
    })
  }
  await refuseTakenPosition(ports, draft, toPublish)
  await refuseCuttingOff(ports, head, judged.state)
  return { before: head, after: judged.state }
}

function refuseOtherPlace(pack: AnchorPack, hash: string, head: PackState): void {
  if (hash === head.hash) throw staleDraft(`pack ${pack.packSeq} is published already`)
  if (pack.packSeq <= head.packSeq) throw staleDraft(`pack ${head.packSeq} is in force already`)
  if (pack.packSeq > head.packSeq + 1)
    throw packRefused('PACK_GAP', `the draft is pack ${pack.packSeq}, but pack ${head.packSeq} is the last one here`)
  if (pack.prevPack !== head.hash)
    throw packRefused('PACK_PREV_MISMATCH', `the draft does not follow the pack ${head.packSeq} that is in force here`)
}

async function refuseTakenPosition(
  { log }: JudgePorts,
  { envelope, id }: ReadDraft,
  toPublish: boolean
): Promise<void> {
  const { namespace, authorSeq, prev } = envelope
  if ((await log.find(id)) !== undefined) throw staleDraft('it is published already')
  let last = 0
  for await (const tip of log.tips(namespace, chainIdOf(envelope))) last = Math.max(last, tip.authorSeq)
  if (last >= authorSeq) throw staleDraft(`its author has signed its event ${authorSeq} in ${namespace} meanwhile`)
  if (!toPublish || prev === null || (await log.find(prev)) !== undefined) return
  throw new AnchormeshError('NOT_YET', `the event before the draft, ${prev}, is not here yet`, {
    hint: 'anchormesh sync --namespace _trust, or publish it on the machine that made it.'
  })
}

/** A retirement shall void nothing; what was signed under the key since the draft was made would be. */
async function refuseCuttingOff(ports: JudgePorts, before: PackState, after: PackState): Promise<void> {
  for (const { key } of after.keys.values()) {
    if (key.status !== 'RETIRED' || (before.keys.get(key.kid)?.key.status ?? 'ACTIVE') !== 'ACTIVE') continue
    for (const tip of await ownTips(ports, key.kid)) {
      const named = (key.lastGood ?? []).filter(
        ({ signer, namespace }) => signer === tip.signer && namespace === tip.namespace
      )
      if (named.some(({ authorSeq }) => authorSeq >= tip.authorSeq)) continue
      throw staleDraft(
        `it retires ${key.kid}, which has signed event ${tip.authorSeq} in ${tip.namespace} since; that would be cut off`
      )
    }
  }
}
