import type { AnchorPack, LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { parseAnchorPack, packHash } from '../../protocols/event/v1/anchor-pack.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Cosigner } from '../authoring/author.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { storedPacks } from '../projections/packs.ts'
import type { StoredPacks } from '../projections/packs.ts'
import type { OrganisationRoot } from '../trust/pack-chain.ts'
import { hasGoodKeys, judgePack } from '../trust/pack-chain.ts'
import type { SignerCount } from '../trust/pack-plan.ts'
import { nextPackBody, openPlan, plannedKeys, shortfall, signerCount, withIntended } from '../trust/pack-plan.ts'
import type { SignerPlan, SignerRegistry } from '../trust/signer-registry.ts'
import type { Signer } from '../trust/signer.ts'
import type { JudgePorts } from './judge-draft.ts'
import { ownTipsForPack } from './own-tips.ts'
import type { PublishPackRequest } from './pack-operations.ts'
import { packRefused } from './refusals.ts'

const DAY_MS = 86_400_000
// Long enough to be renewed by a person in time, short enough that a frozen view of an organisation shows.
const VALID_DAYS = 90

export interface NextPackPorts extends JudgePorts {
  readonly registry: SignerRegistry
  readonly clock: Clock
  /** Who signs this node's events now. */
  readonly signer: () => Signer
}

/** The next pack, and who signs it. */
export interface NextPackMade {
  readonly pack: AnchorPack
  readonly hash: string
  readonly body: JsonObject
  /** Of keys that are held here, beside this node's own. */
  readonly cosigners: readonly Cosigner[]
  /** Named, and not held here. */
  readonly missing: readonly string[]
}

/**
 * Makes the next pack from the registry, by this node's view of what is in force. Throws `PUBLISH_REFUSED` with the code
 * that the pack would get everywhere else.
 */
export async function makeNextPack(
  ports: NextPackPorts,
  request: PublishPackRequest,
  { isDraft }: { readonly isDraft: boolean }
): Promise<NextPackMade> {
  const view = ports.policy()
  const { orgId } = view.self
  const stored = await storedPacks(ports.engine, orgId, view)
  const { head } = stored
  const root = request.recover === true ? pinnedNext(stored, '') : stored.root
  if (stored.frozen) throw packRefused('PACK_FORK', `two packs of ${orgId} stand at number ${head.packSeq + 1}`)
  const plan = await planWithOwnKey(ports, stored)
  const keys = await resultingKeys(ports, stored, plan)
  const threshold = request.threshold ?? plan.threshold?.value ?? head.threshold
  const count = signerCount(root, head, keys, threshold)
  const held = await heldSigners(ports, keys, count)
  const own = ports.signer()
  const given = keys.find(({ kid }) => kid === own.kid)
  // Its signature must be good under the key that the packs give its kid.
  if (given?.publicKey !== toBase64url(own.publicKey))
    throw packRefused(
      'PACK_SIGNER_FOREIGN',
      `the packs of ${orgId} give the kid ${own.kid} another key than this node's`
    )
  const further = furtherSigners(request.with ?? [], keys, stored)
  const mine = new Set([own.kid, ...held.map(({ kid }) => kid)])
  const named = furtherNeeded(count, new Set([...mine, ...further]), isDraft)
  const missing = [...further, ...named].filter((kid) => !mine.has(kid))
  const signingKids = [...new Set([...mine, ...missing])].sort()
  const validUntil = ports.clock.now() + (request.validDays ?? VALID_DAYS) * DAY_MS
  const pack = nextPackBody({ head, orgId, keys, threshold, validUntil, isDelta: request.delta === true, signingKids })
  const body = pack as unknown as JsonObject
  const reading = parseAnchorPack(body)
  if (!reading.ok) throw packRefused(reading.code, reading.detail)
  const hash = packHash(pack)
  const judged = judgePack(request.recover === true ? pinnedNext(stored, hash) : root, head, { hash, pack })
  if (!judged.ok) throw packRefused(judged.effect, `the pack would have no effect: ${judged.effect}`)
  if (!hasGoodKeys(pack)) throw packRefused('KEY_WEAK', 'a public key that the pack would give is none')
  return { pack, hash, body, cosigners: held.filter(({ kid }) => kid !== own.kid), missing }
}

/** The organisation's root as it is where operators have pinned the next pack. */
function pinnedNext({ root, head }: StoredPacks, hash: string): OrganisationRoot {
  return { ...root, pins: new Map([...root.pins, [head.packSeq + 1, hash]]) }
}

/** A node's own key is in the packs of its organisation from the first one that it publishes. */
async function planWithOwnKey(ports: NextPackPorts, { head }: StoredPacks): Promise<SignerPlan> {
  const plan = openPlan(await ports.registry.plan(), head)
  const { kid, publicKey } = ports.signer()
  if (head.keys.has(kid) || plan.keys.some((intended) => intended.kid === kid)) return plan
  return withIntended(plan, {
    kid,
    publicKey: toBase64url(publicKey),
    status: 'ACTIVE',
    uses: ['event', 'pack'],
    notBefore: ports.clock.now(),
    after: head.packSeq
  })
}

async function resultingKeys(
  ports: NextPackPorts,
  { head }: StoredPacks,
  plan: SignerPlan
): Promise<readonly PackKey[]> {
  const tips = new Map<string, readonly LastGood[]>()
  for (const { kid, lastGood } of plan.keys) if (lastGood === 'tips') tips.set(kid, await ownTipsForPack(ports, kid))
  return plannedKeys(head, plan, (kid) => tips.get(kid) ?? [])
}

/** Signers whose keys are held here and count for this pack. */
async function heldSigners(
  { registry, signer }: NextPackPorts,
  keys: readonly PackKey[],
  count: SignerCount
): Promise<readonly Signer[]> {
  const own = signer()
  const signers: Signer[] = []
  for (const { kid } of (await registry.held()).keys) {
    const given = keys.find((key) => key.kid === kid)
    if (given === undefined || kid === own.kid || !(count.old.has(kid) || count.fresh.has(kid))) continue
    const found = await registry.signer(kid)
    if (found !== null && toBase64url(found.publicKey) === given.publicKey) signers.push(found)
  }
  return signers
}

function furtherSigners(
  named: readonly string[],
  keys: readonly PackKey[],
  { head, root: { orgId } }: StoredPacks
): readonly string[] {
  for (const kid of named) {
    if (head.keys.get(kid)?.key.status === 'REVOKED')
      throw packRefused('PACK_SIGNER_REVOKED', `${kid} is revoked: it signs no pack any more`)
    if (!keys.some((key) => key.kid === kid)) throw packRefused('PACK_SIGNER_FOREIGN', `${kid} is no key of ${orgId}`)
  }
  return [...new Set(named)]
}

/**
 * Who else must sign a pack for which those named are too few: where it takes all who could, these. Throws
 * `PUBLISH_REFUSED` (`PACK_THRESHOLD`) where there is a choice, or for a pack that shall be published now. Where nobody
 * could, it is for `judgePack` to say what is wrong.
 */
function furtherNeeded(count: SignerCount, named: ReadonlySet<string>, isDraft: boolean): readonly string[] {
  if (isEnough(count, named)) return []
  const candidates = [...new Set([...count.old, ...count.fresh])].filter((kid) => !named.has(kid)).sort()
  if (!isEnough(count, [...named, ...candidates])) return []
  const without = (kid: string): string[] => [...named, ...candidates.filter((other) => other !== kid)]
  if (isDraft && candidates.every((kid) => !isEnough(count, without(kid)))) return candidates
  const needed = Math.max(count.oldNeeded, count.freshNeeded)
  const code = 'PACK_THRESHOLD'
  const message = `not published: ${code}: ${needed} keys must sign it, and those of this machine are too few`
  throw new AnchormeshError('PUBLISH_REFUSED', message, {
    hint:
      'Name who signs with you: anchormesh pack publish --with KID --out FILE; there they run anchormesh pack sign FILE. ' +
      `Keys that can: ${candidates.join(', ')}`,
    detail: { code, candidates }
  })
}

function isEnough(count: SignerCount, kids: Iterable<string>): boolean {
  const lacks = shortfall(count, kids)
  return lacks.old === 0 && lacks.fresh === 0
}
