import type { AuditAction } from '../platform/audit.ts'
import { NO_AUDIT } from '../platform/audit.ts'
import type { OrganisationRoot, PackState } from '../trust/pack-chain.ts'
import { rootState } from '../trust/pack-chain.ts'
import type { AnchorName, StoredAnchors, SyncState } from './anchors.ts'
import { anchorSetOf, getAnchors, getSyncState, setSyncState, stateOf } from './anchors.ts'
import type { CheckedPage } from './check-page.ts'
import { PageRow } from './check-page.ts'
import { endOfRefusal } from './refusal.ts'
import type { SyncOutcome, SyncProgress, SyncResult, SyncWarning } from './result.ts'
import type { AnchorSyncOptions, SyncedOrganisation } from './sync-options.ts'
import type { PackTransport } from './transport.ts'
import type { Walk } from './walk.ts'
import { takePack, walkOf } from './walk.ts'

// A page of 64 packs of usual size is 200 KiB: a second of a slow link.
const LIMIT_DEFAULT = 64
// What requests between nodes may be off, if not configured.
const SKEW_MS_DEFAULT = 5 * 60_000
// One of each kind says all that a person needs to know.
const WARNINGS_MAX = 8
// Of one organisation; those that lied longest ago are forgotten first.
const LIARS_MAX = 16

// What a pack of another side of a fork is refused with, where it stands above the fork.
const OF_ANOTHER_SIDE: ReadonlySet<string> = new Set(['PACK_PREV_MISMATCH', 'PACK_GAP'])

interface SourceSyncParts {
  readonly name: AnchorName
  readonly source: string
  readonly transport: PackTransport
  readonly organisation: SyncedOrganisation
  readonly options: AnchorSyncOptions
  readonly onProgress: (progress: SyncProgress) => void
}

/** How a sync ends. A lie costs the source. */
interface End {
  readonly outcome: SyncOutcome
  readonly code: string | null
  readonly detail: string | null
  readonly isLie: boolean
}

type Taken = { readonly walk: Walk; readonly applied: number; readonly known: number } | End

/** One sync of an organisation's packs from one source. */
export class SourceSync {
  readonly #parts: SourceSyncParts
  readonly #requestId: string | undefined
  #walk: Walk
  #state: SyncState
  #from = 0
  #resumed = false
  #pages = 0
  #applied = 0
  #known = 0
  #waiting = 0
  #disagreesAt: number | null = null
  readonly #warnings = new Map<string, SyncWarning>()

  constructor(parts: SourceSyncParts) {
    this.#parts = parts
    this.#requestId = parts.options.requestId?.()
    this.#walk = walkOf(rootState(parts.organisation.root))
    this.#state = { ...parts.name, resume: null, lastPackSeq: 0, lastResult: null, liars: {} }
  }

  async run(signal: AbortSignal): Promise<SyncResult> {
    const { name, options, organisation, source } = this.#parts
    this.#state = await getSyncState(options.store, name)
    this.#walk = walkFrom(await getAnchors(options.store, name), organisation)
    this.#from = this.#walk.state.packSeq
    const resume = this.#state.resume?.source === source ? this.#state.resume : null
    this.#resumed = resume !== null
    let end =
      resume === null ? await this.#anew(signal) : await this.#row(resume.afterPackSeq, resume.pageToken, signal)
    if (end.code === 'BAD_TOKEN' && resume !== null) end = await this.#anew(signal)
    if (end.code !== null && OF_ANOTHER_SIDE.has(end.code)) end = (await this.#fromPin(signal)) ?? end
    return await this.#conclude(end)
  }

  /**
   * What does not fit may be of a side that a pin rules out, as a source gives it that does not know of the pin. That
   * shows in what came before it: asks once more from the last pinned number on. `null` where nothing is pinned.
   */
  async #fromPin(signal: AbortSignal): Promise<End | null> {
    const { pins } = this.#parts.organisation.root
    const pinned = [...pins.keys()].filter((packSeq) => packSeq <= this.#walk.state.packSeq)
    if (pinned.length === 0) return null
    this.#disagreesAt = null
    return await this.#row(Math.max(...pinned) - 1, undefined, signal)
  }

  /** From the last pack that is known on, which a source that agrees gives once more. */
  async #anew(signal: AbortSignal): Promise<End> {
    const { packSeq } = this.#walk.state
    const afterPackSeq = Math.max(0, packSeq - 1)
    if (packSeq === 0 || this.#parts.options.door === undefined) return await this.#row(afterPackSeq, undefined, signal)
    // Before that pack there may be a year of events on its chain: they are asked for only where it is news.
    const compared = await this.#compare(signal)
    return typeof compared === 'number' ? await this.#row(compared, undefined, signal) : compared
  }

  /** Asks for the last pack that is known, without anything else. Answers from which one on there is something new. */
  async #compare(signal: AbortSignal): Promise<End | number> {
    const { organisation, transport, options, name } = this.#parts
    const { packSeq: last } = this.#walk.state
    const asked = { orgId: name.orgId, afterPackSeq: last - 1, limit: options.limit ?? LIMIT_DEFAULT }
    const answer = await transport.pull(asked, signal)
    signal.throwIfAborted()
    if (!answer.ok) return { ...endOfRefusal(answer), isLie: false }
    const row = new PageRow(asked)
    const checked = row.check(answer.page)
    if (!checked.ok) return lie(checked.code, checked.detail)
    const { page } = checked
    const same = page.events.filter(({ event }) => event.envelope.body['packSeq'] === last)
    const taken = this.#walkPage({ ...page, events: same }, organisation)
    if (!('walk' in taken)) return taken
    if (taken.walk.forkedAt !== null) return last - 1
    if (page.headPackSeq > last && same.length > 0) return last
    this.#noteSkew(page)
    this.#pages += 1
    this.#known += taken.known
    return this.#endOfRow(page, row, last)
  }

  /** One row of pages, from its beginning or from a token on. */
  async #row(afterPackSeq: number, from: string | undefined, signal: AbortSignal): Promise<End> {
    const { organisation, transport, options, onProgress, source, name } = this.#parts
    const started = this.#walk.state.packSeq
    const links = options.door === undefined ? {} : { links: true as const }
    const asked = { orgId: name.orgId, afterPackSeq, limit: options.limit ?? LIMIT_DEFAULT, ...links }
    const row = new PageRow(asked)
    for (let pageToken = from; ;) {
      const answer = await transport.pull({ ...asked, ...(pageToken === undefined ? {} : { pageToken }) }, signal)
      signal.throwIfAborted()
      if (!answer.ok) return { ...endOfRefusal(answer), isLie: false }
      const checked = row.check(answer.page)
      if (!checked.ok) return lie(checked.code, checked.detail)
      const { page } = checked
      this.#noteSkew(page)
      const taken = this.#walkPage(page, organisation)
      if (!('walk' in taken)) return taken
      const refused = await this.#submit(page)
      if (refused !== null) return refused
      await this.#keep(taken, page, afterPackSeq)
      onProgress({ orgId: name.orgId, source, packs: this.#walk.state.packSeq, total: page.headPackSeq })
      const { forkedAt } = this.#walk
      if (forkedAt !== null) return frozen(forkedAt)
      if (page.nextPageToken !== null) {
        pageToken = page.nextPageToken
        continue
      }
      return this.#endOfRow(page, row, from === undefined && afterPackSeq < started ? started : 0)
    }
  }

  /** [REJECT] PS-9. */
  #endOfRow({ headPackSeq }: CheckedPage, row: PageRow, started: number): End {
    const { packSeq } = this.#walk.state
    if (headPackSeq > Math.max(packSeq, row.highest))
      return lie('PACK_GAP', `it says that it has pack ${headPackSeq}, and gave none after ${packSeq}`)
    if (started > 0 && headPackSeq >= started && row.highest < started)
      return lie('PACK_GAP', `it says that it has pack ${headPackSeq}, and did not give ${started}`)
    if (headPackSeq < packSeq) this.#warn('SOURCE_BEHIND', `it has ${headPackSeq} packs; here are ${packSeq}`)
    return { outcome: 'done', code: null, detail: null, isLie: false }
  }

  /** All packs of a page count, or none does. */
  #walkPage({ events }: CheckedPage, organisation: SyncedOrganisation): Taken {
    let walk = this.#walk
    let [applied, known] = [0, 0]
    for (const { event, isPack } of events) {
      if (!isPack) continue
      const step = takePack(walk, event, organisation)
      if (!step.ok) {
        if (step.disagrees) this.#disagreesAt = Number(event.envelope.body['packSeq'])
        return lie(step.code, step.detail)
      }
      if (step.kind === 'applied') applied += 1
      if (step.kind === 'known' || step.kind === 'ruled-out') known += 1
      if (step.kind === 'ruled-out')
        this.#warn('SOURCE_OTHER_SIDE', `its pack ${Number(event.envelope.body['packSeq'])} is ruled out by a pin here`)
      walk = step.walk
      if (walk.forkedAt === null) continue
      this.#disagreesAt = walk.forkedAt
      break
    }
    return { walk, applied, known }
  }

  /** A node takes in every event of the page by its door. What waits there for something else is no refusal. */
  async #submit({ events }: CheckedPage): Promise<End | null> {
    const { door } = this.#parts.options
    if (door === undefined) return null
    for (const { event } of events) {
      const outcome = await door.submit(event.wire)
      if (outcome.outcome === 'rejected') return lie(outcome.code, outcome.detail)
      if (outcome.outcome === 'ignored' && outcome.code !== 'SAME_ID_OTHER_BYTES')
        return { outcome: 'undecided', code: outcome.code, detail: outcome.detail, isLie: false }
      if (outcome.outcome === 'pending') this.#waiting += 1
    }
    return null
  }

  async #keep(taken: Exclude<Taken, End>, page: CheckedPage, afterPackSeq: number): Promise<void> {
    const { options, name, source } = this.#parts
    const { walk, applied, known } = taken
    this.#pages += 1
    this.#applied += applied
    this.#known += known
    const moved = walk !== this.#walk
    this.#walk = walk
    const { nextPageToken } = page
    const resume = nextPageToken === null ? null : { source, afterPackSeq, pageToken: nextPageToken }
    const lastPackSeq = moved ? walk.state.packSeq : this.#state.lastPackSeq
    this.#state = { ...this.#state, resume, lastPackSeq }
    await options.store.put({ state: this.#state, ...(moved ? { anchors: storedOf(name, walk) } : {}) })
    if (applied === 0) return
    this.#audit('FED_ANCHOR_SYNC_APPLY', { outcome: 'ok', code: null }, { applied, packSeq: walk.state.packSeq })
  }

  async #conclude({ outcome, code, detail, isLie }: End): Promise<SyncResult> {
    const { options, name, source, transport } = this.#parts
    const at = options.clock.now()
    await options.door?.settled(name.orgId, this.#walk.state.hash)
    const liars = new Map(Object.entries(this.#state.liars))
    if (outcome === 'done') liars.delete(source)
    if (isLie && code !== null) liars.set(source, { code, at })
    const kept = [...liars].toSorted(([, left], [, right]) => right.at - left.at).slice(0, LIARS_MAX)
    const goesOn = outcome === 'unreachable' || outcome === 'undecided'
    const lastResult = { source, outcome, code, at }
    const resume = goesOn || this.#state.resume?.source !== source ? this.#state.resume : null
    await setSyncState(options.store, { ...this.#state, resume, lastResult, liars: Object.fromEntries(kept) })
    if (isLie) transport.penalise?.()
    const audited = outcome === 'done' ? 'ok' : goesOn ? 'failed' : 'refused'
    const packSeq = this.#walk.state.packSeq
    if (isLie || outcome === 'frozen') this.#audit('FED_ANCHOR_SYNC_REJECT', { outcome: 'refused', code }, { packSeq })
    this.#audit('FED_ANCHOR_SYNC_PULL', { outcome: audited, code }, { packSeq, pages: this.#pages })
    return {
      orgId: name.orgId,
      source: transport.name,
      outcome,
      code,
      detail,
      from: this.#from,
      to: packSeq,
      resumed: this.#resumed,
      pages: this.#pages,
      applied: this.#applied,
      known: this.#known,
      waiting: this.#waiting,
      warnings: [...this.#warnings.values()],
      disagreesAt: this.#disagreesAt
    }
  }

  #noteSkew({ servedAt, events }: CheckedPage): void {
    const { clock, skewMs = SKEW_MS_DEFAULT } = this.#parts.options
    const offMs = servedAt - clock.now()
    if (Math.abs(offMs) > skewMs) {
      const how = offMs > 0 ? 'ahead' : 'ago'
      this.#warn('SERVED_AT_SKEW', `the page was made ${Math.round(Math.abs(offMs) / 1000)} s ${how}, by its clock`)
    }
    for (const { event, isPack } of events) {
      const { ts, body } = event.envelope
      if (!isPack || ts - clock.now() <= skewMs) continue
      this.#warn(
        'PACK_TS_SKEW',
        `pack ${Number(body['packSeq'])} says it is from ${Math.round((ts - clock.now()) / 1000)} s ahead`
      )
    }
  }

  #warn(code: SyncWarning['code'], detail: string): void {
    if (!this.#warnings.has(code) && this.#warnings.size < WARNINGS_MAX) this.#warnings.set(code, { code, detail })
  }

  #audit(
    action: AuditAction,
    how: { readonly outcome: 'ok' | 'refused' | 'failed'; readonly code: string | null },
    detail: Readonly<Record<string, number>>
  ): void {
    const { options, name, transport } = this.#parts
    const requestId = this.#requestId === undefined ? {} : { requestId: this.#requestId }
    const entry = { action, actor: 'node', subject: name.orgId, ...how, ...requestId }
    const audit = options.audit ?? NO_AUDIT
    audit.record({ ...entry, detail: { source: transport.name, ...detail } })
  }
}

/** The walk as it was stored; a fork that a pin settles is gone on from. */
function walkFrom(stored: StoredAnchors | null, { root }: SyncedOrganisation): Walk {
  const start = rootState(root)
  if (stored === null) return walkOf(start)
  const { forkedAt } = stored
  // Before its first pack an organisation is what policy says now, whatever it said then.
  const state = stored.packSeq === 0 ? start : stateOf(stored)
  const previous = stored.packSeq === 1 ? start : stored.previous === null ? null : stateOf(stored.previous)
  if (contradictsPins(state, root))
    return walkOf(previous === null || contradictsPins(previous, root) ? start : previous)
  return walkOf(state, previous, forkedAt !== null && root.pins.has(forkedAt) ? null : forkedAt)
}

/** Whether it came by a pack that a pin, which was set later, rules out; as far as the packs show that it came by. */
function contradictsPins({ packSeq, hash, keys }: PackState, { pins }: OrganisationRoot): boolean {
  const isOther = (number: number, found: string | null): boolean => (pins.get(number) ?? found) !== found
  return isOther(packSeq, hash) || [...keys.values()].some((key) => isOther(key.packSeq, key.changedBy))
}

function storedOf({ namespace, orgId }: AnchorName, { state, previous, forkedAt }: Walk): StoredAnchors {
  const before = previous === null ? null : anchorSetOf(orgId, previous)
  return { namespace, orgId, ...anchorSetOf(orgId, state), previous: before, forkedAt }
}

function lie(code: string, detail: string): End {
  return { outcome: 'refused', code, detail, isLie: true }
}

function frozen(forkedAt: number): End {
  const detail = `there are two valid packs at number ${forkedAt}: pin one`
  return { outcome: 'frozen', code: 'PACK_FORK', detail, isLie: false }
}
