import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { selectionsOf } from '../../../simulations/run/selections.ts'
import type { SimulatedNode, Simulation, TraceKind } from '../../../simulations/model/simulation.ts'
import { parseScenario } from '../../../simulations/scenario/parse.ts'
import { problemText } from '../../../src/policy/yaml.ts'

type State = SimulatedNode['state']

/** Nodes, links and chains that only keep what is done to them, and a time that passes when the test says so. */
export class FakeSimulation {
  /** What happened, each as `second node what`. */
  readonly happened: string[] = []
  readonly traced: {
    readonly atUs: number
    readonly kind: TraceKind
    readonly node: string | null
    readonly fields: JsonObject
  }[] = []
  readonly nodes: readonly SimulatedNode[]
  readonly simulation: Simulation
  #events: { readonly atUs: number; readonly run: () => void | Promise<void> }[] = []
  #nowUs = 0
  readonly #cuts = new Set<(from: string, to: string) => boolean>()

  constructor(text: string) {
    const parsed = parseScenario(text, 'test.yaml')
    if (!parsed.ok) throw new Error(parsed.problems.map(problemText).join('\n'))
    const { scenario } = parsed
    const random = seededRandom('fake')
    const { organisations = scenario.nodes } = scenario
    const nodes = Array.from({ length: scenario.nodes }, (_, index) => this.#node(index, organisations))
    this.nodes = nodes as unknown as readonly SimulatedNode[]
    const cut = (which: (from: string, to: string) => boolean): (() => void) => {
      this.#cuts.add(which)
      return () => void this.#cuts.delete(which)
    }
    const change = (_which: unknown, rule: JsonObject): (() => void) => {
      this.#note('links', JSON.stringify(rule))
      return () => this.#note('links', 'as before')
    }
    const chains = {
      reorganise: (chain: string, depth: number) => this.#note(chain, `reorganise ${depth}`),
      setReachable: (chain: string, names: readonly string[], isReachable: boolean) => {
        for (const name of names) this.#note(name, `${chain} ${isReachable ? 'back' : 'away'}`)
      }
    }
    this.simulation = {
      scenario,
      seed: 'fake',
      random,
      nodes: this.nodes,
      net: { cut, change },
      chains,
      trace: {
        record: (kind: TraceKind, node: string | null, fields: JsonObject = {}) =>
          void this.traced.push({ atUs: this.#nowUs, kind, node, fields })
      },
      time: { nowUs: 0 },
      startedUs: 0,
      select: selectionsOf(this.nodes, random),
      at: (atUs: number, run: () => void | Promise<void>) => void this.#events.push({ atUs, run })
    } as unknown as Simulation
  }

  /** Whether nothing from one node reaches another. */
  isCut(from: number, to: number): boolean {
    return [...this.#cuts].some((which) => which(`address-${from}`, `address-${to}`))
  }

  /** Lets time pass up to and including the second. */
  async runTo(second: number): Promise<void> {
    for (;;) {
      const due = this.#events.filter(({ atUs }) => atUs <= second * 1_000_000)
      const next = due.toSorted((one, other) => one.atUs - other.atUs)[0]
      if (next === undefined) return
      this.#events = this.#events.filter((event) => event !== next)
      this.#nowUs = next.atUs
      Object.assign(this.simulation.time, { nowUs: next.atUs })
      await next.run()
    }
  }

  #note(who: string, what: string): void {
    this.happened.push(`${this.#nowUs / 1_000_000} ${who} ${what}`)
  }

  #node(index: number, organisations: number) {
    let state: State = 'running'
    const name = `n${index}`
    const turn =
      (next: State, what: string, from?: State) =>
      (options: { readonly power?: boolean } = {}): void => {
        if (from !== undefined && state !== from) return
        state = next
        this.#note(name, options.power === true ? `${what} of power` : what)
      }
    return {
      index,
      name,
      orgId: `org-${index % organisations}`,
      address: `address-${index}`,
      get state() {
        return state
      },
      boot: turn('running', 'boot'),
      stop: turn('off', 'stop'),
      crash: turn('off', 'crash'),
      loseDisk: turn('off', 'lose disk'),
      pause: turn('paused', 'pause', 'running'),
      resume: turn('running', 'resume', 'paused'),
      misbehave: () => {},
      setClock: (error: JsonObject | null) => this.#note(name, `clock ${JSON.stringify(error)}`),
      disk: {
        setFull: (isFull: boolean) => this.#note(name, isFull ? 'full' : 'room'),
        setSyncMs: (draw: (random: unknown) => number) => this.#note(name, `sync ${draw(seededRandom('x'))}`)
      }
    }
  }
}
