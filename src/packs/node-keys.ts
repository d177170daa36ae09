import type { KeyStatus, KeyUse, LastGood } from '../../protocols/event/v1/anchor-pack.ts'
import { KEY_USES } from '../../protocols/event/v1/anchor-pack.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { didKeyOf } from '../../protocols/signature/v1/did-key.ts'
import type { AuditAction, AuditTrail } from '../platform/audit.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { StoredPacks } from '../projections/packs.ts'
import { storedPacks } from '../projections/packs.ts'
import { checkKeyOnce } from '../trust/checked-keys.ts'
import { openPlan, withIntended } from '../trust/pack-plan.ts'
import type { HeldKey, IntendedKey, SignerPlan } from '../trust/signer-registry.ts'
import { audited } from './audited.ts'
import type { NextPackPorts } from './next-pack.ts'
import type { NodePacks } from './node-packs.ts'
import { lastGoodOf, ownTips, ownTipsForPack } from './own-tips.ts'
import { missingKids } from './pack-draft.ts'
import type {
  AddKeyRequest,
  ListedSigner,
  RetireKeyRequest,
  RevokeKeyRequest,
  RotateKeyRequest,
  RotatedKey,
  SignersReport
} from './pack-operations.ts'
import { packRefused, unknownSigner } from './refusals.ts'

export interface NodeKeysPorts extends NextPackPorts {
  readonly packs: NodePacks
  readonly audit: AuditTrail
}

/** What is known of the organisation's keys when an operation begins. */
interface Book {
  readonly stored: StoredPacks
  readonly plan: SignerPlan
  readonly held: readonly HeldKey[]
  readonly signing: string
}

/** A node's part in the keys of its organisation: what the next pack shall say of them. */
export class NodeKeys {
  readonly #ports: NodeKeysPorts

  constructor(ports: NodeKeysPorts) {
    this.#ports = ports
  }

  async list(): Promise<SignersReport> {
    return await this.#ports.packs.inTurn(() => this.#report())
  }

  async add(request: AddKeyRequest): Promise<ListedSigner> {
    const subject = request.kid ?? 'a new key'
    return await this.#audited('KEY_ADDED', subject, () =>
      this.#ports.packs.inTurn(async () => {
        const book = await this.#book()
        const { kid, publicKey, uses } = await this.#keyToAdd(request, book)
        const { now, after } = this.#moment(book)
        const notBefore = book.stored.head.keys.get(kid)?.key.notBefore ?? now
        const { notAfter } = request
        const inForce = book.stored.head.keys.get(kid)?.key
        // Only what was decided of it is taken back.
        if (inForce?.uses.join() === uses.join() && notAfter === undefined) {
          const { registry } = this.#ports
          await registry.savePlan({ ...book.plan, keys: book.plan.keys.filter((intended) => intended.kid !== kid) })
          return await this.#listed(kid)
        }
        await this.#save(book, [{ kid, publicKey, uses, status: 'ACTIVE', notBefore, notAfter, after }])
        return await this.#listed(kid)
      })
    )
  }

  async rotate({ kid: asked, reason }: RotateKeyRequest): Promise<RotatedKey> {
    const kid = asked ?? this.#ports.signer().kid
    const entry = { action: 'KEY_ROTATED', actor: 'operator', subject: kid } as const
    const rotated = async (): Promise<RotatedKey> => {
      const book = await this.#book()
      const old = intendedOf(book, this.#mustKnow(book, kid))
      const own = book.held.find((key) => key.kid === kid)
      if (own === undefined) throw notHeld(kid)
      if (own.isExternal === true) throw heldElsewhere(kid)
      refuseBackward(kid, old.status, 'RETIRED')
      const { now, after } = this.#moment(book)
      const { uses } = old
      const made = await this.#ports.registry.newKey(uses, now)
      const added: IntendedKey = {
        kid: made.kid,
        publicKey: made.publicKey,
        uses,
        status: 'ACTIVE',
        notBefore: now,
        after
      }
      await this.#save(book, [added, { ...old, status: 'RETIRED', retiredAt: now, reason, lastGood: 'tips', after }])
      return { added: await this.#listed(made.kid), retired: await this.#listed(kid) }
    }
    const { packs, audit } = this.#ports
    return await audited(
      audit,
      entry,
      () => packs.inTurn(rotated),
      ({ added }) => ({ newKid: added.kid })
    )
  }

  async retire({ kid, reason }: RetireKeyRequest): Promise<ListedSigner> {
    return await this.#audited('KEY_RETIRED', kid, () =>
      this.#ports.packs.inTurn(async () => {
        const book = await this.#book()
        const old = intendedOf(book, this.#mustKnow(book, kid))
        refuseBackward(kid, old.status, 'RETIRED')
        this.#refuseLastForEvents(book, kid)
        const { now, after } = this.#moment(book)
        await this.#save(book, [{ ...old, status: 'RETIRED', retiredAt: now, reason, lastGood: 'tips', after }])
        return await this.#listed(kid)
      })
    )
  }

  async revoke(request: RevokeKeyRequest): Promise<ListedSigner> {
    const { kid, reason } = request
    return await this.#audited('KEY_REVOKED', kid, () =>
      this.#ports.packs.inTurn(async () => {
        const book = await this.#book()
        const old = intendedOf(book, this.#mustKnow(book, kid))
        refuseBackward(kid, old.status, 'REVOKED')
        const lastGood = await this.#lastGood(book, request)
        const { now, after } = this.#moment(book)
        await this.#save(book, [{ ...old, status: 'REVOKED', revokedAt: now, reason, lastGood, after }])
        return await this.#listed(kid)
      })
    )
  }

  async setThreshold(value: number): Promise<SignersReport> {
    const { audit, packs, policy, registry } = this.#ports
    const entry = { action: 'KEY_THRESHOLD_SET', actor: 'operator', subject: policy().self.orgId } as const
    const set = (): Promise<SignersReport> =>
      packs.inTurn(async () => {
        const { stored, plan } = await this.#book()
        const instead = stored.head.threshold
        const threshold = value === instead ? null : { value, instead }
        await registry.savePlan({ ...plan, threshold })
        return await this.#report()
      })
    return await audited(audit, entry, set, () => ({ threshold: value }))
  }

  async #book(): Promise<Book> {
    const { engine, policy, registry } = this.#ports
    const stored = await storedPacks(engine, policy().self.orgId, policy())
    const { keys: held, signing } = await registry.held()
    return { stored, plan: openPlan(await registry.plan(), stored.head), held, signing }
  }

  #moment({ stored }: Book): { readonly now: number; readonly after: number } {
    return { now: this.#ports.clock.now(), after: stored.head.packSeq }
  }

  async #save({ plan }: Book, intended: readonly IntendedKey[]): Promise<void> {
    await this.#ports.registry.savePlan(intended.reduce(withIntended, plan))
  }

  /** A key that the packs, the registry, the keystore or the configuration names. Throws `SIGNER_UNKNOWN`. */
  #mustKnow(book: Book, kid: string): IntendedKey {
    const { stored, held } = book
    const known = stored.head.keys.get(kid)?.key
    const planned = book.plan.keys.find((intended) => intended.kid === kid)
    const own = held.find((key) => key.kid === kid)
    const bound = stored.root.keys.find((key) => key.kid === kid)
    const publicKey = known?.publicKey ?? planned?.publicKey ?? own?.publicKey ?? bound?.publicKey
    if (publicKey === undefined) throw unknownSigner(kid, stored.root.orgId)
    const { now, after } = this.#moment(book)
    const uses = own?.uses ?? KEY_USES
    return { kid, publicKey, uses, status: 'ACTIVE', notBefore: own?.createdAt || now, ...known, after }
  }

  async #keyToAdd(
    { kid: asked, publicKey, uses: wanted }: AddKeyRequest,
    book: Book
  ): Promise<{ readonly kid: string; readonly publicKey: string; readonly uses: readonly KeyUse[] }> {
    const own = book.held.find(({ kid }) => kid === asked)
    const uses = KEY_USES.filter((use) => (wanted ?? own?.uses ?? KEY_USES).includes(use))
    if (asked === undefined && publicKey === undefined) {
      const made = await this.#ports.registry.newKey(uses, this.#ports.clock.now())
      return { kid: made.kid, publicKey: made.publicKey, uses }
    }
    const { stored } = book
    const known = asked === undefined ? undefined : stored.head.keys.get(asked)?.key
    const given = publicKey ?? own?.publicKey ?? known?.publicKey
    if (given === undefined) {
      throw new AnchormeshError('SIGNER_UNKNOWN', `this machine holds no key ${asked ?? ''}`, {
        hint: 'Give the public key of another machine’s: anchormesh keys add KID --public-key B64U. Without KID a new key is made here.'
      })
    }
    const checked = checkKeyOnce(given)
    if (!checked.ok) throw packRefused('KEY_WEAK', `the public key can't be used: ${checked.detail}`)
    const kid = asked ?? kidOf(given)
    const before = stored.head.keys.get(kid)?.key ?? book.plan.keys.find((intended) => intended.kid === kid)
    if (before !== undefined) refuseBackward(kid, before.status, 'ACTIVE')
    // What a key has signed while it was for packs alone must not count all at once.
    if (before !== undefined && uses.includes('event') && !before.uses.includes('event'))
      throw packRefused('PACK_STATUS_BACKWARD', `${kid} is not for events, and can't become so: add another key`)
    this.#refuseDouble(book, kid, given)
    // What was decided of an active key, and is in no pack yet, is taken back.
    const isDecided = book.plan.keys.some((intended) => intended.kid === kid && intended.status !== 'ACTIVE')
    if (before !== undefined && before.uses.join() === uses.join() && !isDecided)
      throw keyExists(`${kid} is a key of ${stored.root.orgId} already, with the same uses`)
    return { kid, publicKey: given, uses }
  }

  /** One kid is one key for ever; and one key under two names could sign twice for a threshold. */
  #refuseDouble({ stored, plan, held }: Book, kid: string, publicKey: string): void {
    const known = [...[...stored.head.keys.values()].map(({ key }) => key), ...plan.keys, ...held, ...stored.root.keys]
    const other = known.find((key) => (key.kid === kid) !== (key.publicKey === publicKey))
    if (other === undefined) return
    throw keyExists(
      other.kid === kid
        ? `${kid} stands for another public key already`
        : `this public key is known as ${other.kid} already`
    )
  }

  #refuseLastForEvents({ stored, plan, held }: Book, kid: string): void {
    if (kid !== this.#ports.signer().kid) return
    const remains = held.some((key) => {
      const status = plan.keys.find((one) => one.kid === key.kid)?.status ?? stored.head.keys.get(key.kid)?.key.status
      return key.kid !== kid && key.uses.includes('event') && status === 'ACTIVE'
    })
    if (remains) return
    throw new AnchormeshError('KEY_IN_USE', `this node signs its events with ${kid}, and has no other key for them`, {
      hint: `Put a new one in its place: anchormesh keys rotate ${kid}`
    })
  }

  async #lastGood({ stored }: Book, { kid, lastGood }: RevokeKeyRequest): Promise<readonly LastGood[]> {
    if (lastGood === 'none') return []
    if (lastGood === 'all') return await ownTipsForPack(this.#ports, kid)
    if (lastGood !== undefined) return await lastGoodOf(this.#ports, kid, lastGood)
    const known = stored.head.keys.get(kid)?.key
    if (known?.status === 'RETIRED') return known.lastGood ?? []
    const tips = await ownTips(this.#ports, kid)
    const listed = tips.map(({ namespace, authorSeq, id }) => `${id} (${namespace}, number ${authorSeq})`)
    throw new AnchormeshError('LAST_GOOD_REQUIRED', `say what stays good of the events that ${kid} has signed`, {
      hint:
        '--last-good EVENTID (and its ancestors; can be given again), --all-good, or --none-good. The last events that ' +
        `this node holds of it: ${listed.join(', ') || 'none'}`,
      detail: { kid, tips: tips.map((tip) => ({ ...tip })) }
    })
  }

  async #listed(kid: string): Promise<ListedSigner> {
    const found = (await this.#report()).signers.find((signer) => signer.kid === kid)
    if (found === undefined) throw new Error(`the key ${kid} is not listed`)
    return found
  }

  async #report(): Promise<SignersReport> {
    const book = await this.#book()
    const { stored, plan, held } = book
    const { head, root, frozen } = stored
    const waiting = await this.#ports.packs.waitingDraft()
    const own = this.#ports.signer()
    const kids = [head.keys.keys(), plan.keys.map(({ kid }) => kid), held.map(({ kid }) => kid), [own.kid]]
    const { packSeq, threshold } = head
    return {
      orgId: root.orgId,
      packSeq,
      isFrozen: frozen,
      threshold,
      intendedThreshold: plan.threshold?.value ?? null,
      draft:
        waiting === null
          ? null
          : { packSeq: waiting.pack.packSeq, packHash: waiting.hash, missing: missingKids(waiting) },
      signers: [...new Set(kids.flatMap((some) => [...some]))].sort().map((kid) => this.#signer(book, kid))
    }
  }

  #signer({ stored, plan, held }: Book, kid: string): ListedSigner {
    const known = stored.head.keys.get(kid)
    const planned = plan.keys.find((intended) => intended.kid === kid)
    const here = held.find((key) => key.kid === kid)
    const own = this.#ports.signer()
    const publicKey = known?.key.publicKey ?? planned?.publicKey ?? here?.publicKey ?? toBase64url(own.publicKey)
    const { status, uses, reason = null, lastGood = null } = planned ?? {}
    return {
      kid,
      publicKey,
      held: here !== undefined || kid === own.kid,
      signing: kid === own.kid,
      inForce: known?.key ?? null,
      packSeq: known?.packSeq ?? null,
      intended: status === undefined || uses === undefined ? null : { status, uses, reason, lastGood },
      since: here?.createdAt || (known?.key.notBefore ?? planned?.notBefore ?? null)
    }
  }

  async #audited(action: AuditAction, subject: string, work: () => Promise<ListedSigner>): Promise<ListedSigner> {
    const { audit } = this.#ports
    return await audited(audit, { action, actor: 'operator', subject }, work, ({ kid }) => ({ subject: kid }))
  }
}

/** The key as the next pack would have it, if nothing more were decided. */
function intendedOf({ plan }: Book, known: IntendedKey): IntendedKey {
  return plan.keys.find(({ kid }) => kid === known.kid) ?? known
}

const STATUS_ORDER: Record<KeyStatus, number> = { ACTIVE: 0, RETIRED: 1, REVOKED: 2 }

/** An active key can get other uses; else nothing stays as it is. */
function refuseBackward(kid: string, from: KeyStatus, to: KeyStatus): void {
  if (STATUS_ORDER[from] < STATUS_ORDER[to] || (to === 'ACTIVE' && from === 'ACTIVE')) return
  throw packRefused('PACK_STATUS_BACKWARD', `${kid} is ${from}, and a status only goes forward`)
}

function kidOf(publicKey: string): string {
  return didKeyOf(fromBase64url(publicKey) ?? new Uint8Array()).slice('did:key:'.length)
}

function keyExists(message: string): AnchormeshError {
  return new AnchormeshError('KEY_EXISTS', message, { hint: 'anchormesh keys list shows the keys that there are.' })
}

/** A key that is made here would be one that the signer does not have: the node could sign nothing that counts. */
function heldElsewhere(kid: string): AnchormeshError {
  return new AnchormeshError('KEY_NOT_HELD', `another process signs with ${kid} (node.signer), and makes its keys`, {
    hint:
      'Make a new key there; then anchormesh signer adopt, anchormesh keys add NEWKID, anchormesh keys retire ' +
      `${kid}, anchormesh pack publish.`
  })
}

function notHeld(kid: string): AnchormeshError {
  return new AnchormeshError('KEY_NOT_HELD', `the private key of ${kid} is not on this machine`, {
    hint: 'Rotate it where it is held; or here: anchormesh keys add, then anchormesh keys retire KID.'
  })
}
