import type { SeededRandom } from '../ports/seeded-random.ts'
import type { LinkRule } from '../scenario/schema.ts'
import type { VirtualTime } from '../world/virtual-time.ts'
import { Link } from './link.ts'
import { qualityOf } from './link-quality.ts'
import type { LinkQuality } from './link-quality.ts'
import { SimulatedHost } from './simulated-host.ts'
import type { OnSent } from './socket.ts'

export interface SimulatedNetOptions {
  readonly time: VirtualTime
  readonly random: SeededRandom
  /** How the link from one address to another is, when it is first used. */
  readonly rule: (from: string, to: string) => LinkRule
  readonly onSent?: OnSent
}

/** Some of the links, by the addresses that they lead from and to; always the same ones. */
export type WhichLinks = (from: string, to: string) => boolean

interface Change {
  readonly which: WhichLinks
  readonly rule: Partial<LinkRule>
}

/** The hosts of a simulation and the links between them, which are made when they are first used. */
export class SimulatedNet<Frame> {
  readonly #options: SimulatedNetOptions
  readonly #links = new Map<string, Link>()
  readonly #hosts = new Map<string, SimulatedHost<Frame>>()
  readonly #cuts = new Set<{ readonly which: WhichLinks }>()
  readonly #changes = new Set<Change>()
  readonly #qualities = new WeakMap<LinkRule, LinkQuality>()

  constructor(options: SimulatedNetOptions) {
    this.#options = options
  }

  /** The direction from one address to another. */
  link(from: string, to: string): Link {
    const name = `${from} ${to}`
    const known = this.#links.get(name)
    if (known !== undefined) return known
    const { time, random } = this.#options
    const link = new Link({ from, to }, this.#qualityOf(from, to), time, random.fork(name))
    for (const { which } of this.#cuts) if (which(from, to)) link.cut()
    this.#links.set(name, link)
    return link
  }

  /** Cuts these directions, also those that are first used later. Returns what heals them; other cuts stay. */
  cut(which: WhichLinks): () => void {
    const cut = { which }
    this.#cuts.add(cut)
    for (const link of this.#those(which)) link.cut()
    return () => {
      if (!this.#cuts.delete(cut)) return
      for (const link of this.#those(which)) link.heal()
    }
  }

  /** Whether nothing goes from one address to another now. */
  isCut(from: string, to: string): boolean {
    for (const { which } of this.#cuts) if (which(from, to)) return true
    return false
  }

  /** Changes these directions, also those that are first used later; the last change counts. Returns what undoes it. */
  change(which: WhichLinks, rule: Partial<LinkRule>): () => void {
    const change = { which, rule }
    this.#changes.add(change)
    this.#renew(which)
    return () => {
      if (this.#changes.delete(change)) this.#renew(which)
    }
  }

  host(address: string): SimulatedHost<Frame> {
    const known = this.#hosts.get(address)
    if (known !== undefined) return known
    const { time, onSent = () => {} } = this.#options
    const host = new SimulatedHost<Frame>(address, {
      time,
      onSent,
      link: (from, to) => this.link(from, to),
      host: (to) => this.host(to)
    })
    this.#hosts.set(address, host)
    return host
  }

  #those(which: WhichLinks): Link[] {
    return [...this.#links.values()].filter(({ from, to }) => which(from, to))
  }

  #renew(which: WhichLinks): void {
    for (const link of this.#those(which)) link.quality = this.#qualityOf(link.from, link.to)
  }

  #qualityOf(from: string, to: string): LinkQuality {
    const rule = this.#options.rule(from, to)
    const changes = [...this.#changes].filter(({ which }) => which(from, to)).map((change) => change.rule)
    if (changes.length > 0) return qualityOf(Object.assign({ ...rule }, ...changes) as LinkRule)
    const known = this.#qualities.get(rule)
    if (known !== undefined) return known
    const quality = qualityOf(rule)
    this.#qualities.set(rule, quality)
    return quality
  }
}
