import { Agent } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { isTerminal } from '../../../protocols/subscription/v1/sequence.ts'
import { until } from '../../support/until.ts'
import { FORMS, subscribe } from './subscribers.ts'
import { askTls } from './tls-client.ts'

/** Readers wait for a machine that others keep busy; it only ends a hang. */
const HANG_MS = 50_000

/** A batch as a reader is shown it: where it is, and in which phase it was announced. */
export interface Seen {
  readonly namespace: string
  readonly batchId: string
}

/** What all readers go by. */
export interface Stage {
  readonly url: string
  /** How many changes of the rules have begun, and how many are in force. */
  readonly phase: { begun: number; inForce: number; isOver: boolean }
}

/** What let a reader in, and what it may see in each phase. */
export interface Role {
  readonly name: string
  readonly tls: ConnectionOptions
  readonly headers: Readonly<Record<string, string>>
  readonly sees: (phase: number, namespace: string) => boolean
}

const PATHS = ['/v1/projections/batches?limit=500', '/v1/events?limit=500'] as const

/** The phase that a batch was announced in, by its name. */
const phaseOf = ({ batchId }: Seen): number => Number(/-p(\d+)$/.exec(batchId)?.[1])

/**
 * A reader that asks again and again, and follows over both forms as often as it is let in, until the stage is over.
 * Whatever it is shown must have been its to see: in some phase since the batch was announced and since it asked.
 */
export class RestlessReader {
  /** The codes with which queries were refused, and subscriptions ended or were refused, by the phase in force then. */
  readonly refusals: { readonly phase: number; readonly code: string; readonly how: 'query' | 'end' | 'opening' }[] = []
  readonly failures: string[] = []
  /** What it has seen in answers and frames, and how often it was answered in each phase. */
  readonly queried = new Set<string>()
  readonly followed = new Map<string, Set<string>>(FORMS.map((form) => [form, new Set()]))
  readonly answers = new Map<number, number>()
  readonly done: Promise<void>
  readonly #stage: Stage
  readonly #role: Role

  constructor(stage: Stage, role: Role) {
    this.#stage = stage
    this.#role = role
    this.done = Promise.all([this.#ask(), ...FORMS.map((form) => this.#follow(form))]).then(() => undefined)
  }

  /** The codes of this phase, each once. */
  codes(phase: number, how: 'query' | 'end' | 'opening'): readonly string[] {
    return [...new Set(this.refusals.filter((one) => one.phase === phase && one.how === how).map(({ code }) => code))]
  }

  async #ask(): Promise<void> {
    const { url, phase } = this.#stage
    const { tls, headers } = this.#role
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tls })
    for (let turn = 0; !phase.isOver; turn += 1) {
      const since = phase.inForce
      const answer = await askTls(url + (PATHS[turn % PATHS.length] ?? ''), { headers, agent })
      const body = answer.json() as {
        code?: string
        rows?: Seen[]
        events?: { event: { namespace: string; body: { batchId?: string } } }[]
      }
      if (answer.status !== 200) {
        if (since === phase.begun) this.refusals.push({ phase: since, code: `${body.code}`, how: 'query' })
        continue
      }
      const shown =
        body.rows ??
        (body.events ?? []).map(({ event: { namespace, body: of } }) => ({ namespace, batchId: of.batchId ?? '' }))
      for (const seen of shown) this.#take(seen, since, this.queried)
      if (since === phase.begun) this.answers.set(since, (this.answers.get(since) ?? 0) + 1)
    }
    agent.destroy()
  }

  async #follow(form: (typeof FORMS)[number]): Promise<void> {
    const { url, phase } = this.#stage
    const { tls, headers } = this.#role
    const rows = this.followed.get(form) ?? new Set()
    while (!phase.isOver) {
      const since = phase.inForce
      const reader = await subscribe(`${url}/v1/subscribe?projection=batches`, form, { tls, headers }).catch(
        (error: unknown) => String(error)
      )
      if (typeof reader === 'string') {
        this.refusals.push({ phase: phase.inForce, code: reader, how: 'opening' })
        await until('another phase', () => phase.isOver || phase.inForce > since, HANG_MS)
        continue
      }
      let looked = 0
      const look = (): boolean => {
        for (const frame of reader.frames.slice(looked)) {
          looked += 1
          if ('row' in frame && frame.row !== null) this.#take(frame.row as unknown as Seen, since, rows)
        }
        return reader.state.ended || phase.isOver
      }
      await until('the end of a stream, or of all', look, 3 * HANG_MS)
      look()
      reader.close()
      const last = reader.frames.at(-1)
      if (last !== undefined && isTerminal(last))
        this.refusals.push({ phase: phase.begun, code: 'code' in last ? last.code : last.frame, how: 'end' })
    }
  }

  #take(seen: Seen, since: number, into: Set<string>): void {
    const announced = phaseOf(seen)
    const from = Math.max(announced, since)
    const phases = Array.from({ length: this.#stage.phase.begun - from + 1 }, (_, index) => from + index)
    const { sees, name } = this.#role
    if (!phases.some((phase) => sees(phase, seen.namespace)))
      this.failures.push(`${name} saw ${seen.batchId} of ${seen.namespace}, since ${since}`)
    into.add(seen.batchId)
  }
}
