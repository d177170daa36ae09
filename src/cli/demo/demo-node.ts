import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { AnchormeshError } from '../../platform/errors.ts'
import type { CommandContext } from '../command.ts'
import { commandFile } from '../../platform/package-info.ts'
import type { Digest, NodeStatus, Operations, ProjectionPage } from '../../operations.ts'
import { runningNode } from '../running-node.ts'
import type { ReadyNode } from '../ready-line.ts'
import { readReadyLine } from '../ready-line.ts'
import type { Child, Children } from './children.ts'
import { stopChild } from './children.ts'

/** One organisation of the demo: a data folder, and the node process on it. */
export class DemoNode {
  readonly name: string
  readonly folder: string
  readonly #children: Children
  readonly #context: CommandContext
  readonly #environment: Readonly<Record<string, string | undefined>>
  #running: { readonly child: Child; readonly ready: ReadyNode } | null = null

  constructor(name: string, folder: string, children: Children, context: CommandContext) {
    this.name = name
    this.folder = folder
    this.#children = children
    this.#context = context
    this.#environment = demoEnvironment(context.environment)
  }

  /** Runs one command on the data folder and reads the JSON that it answers. Fails as the command fails. */
  async run<Answer>(args: readonly string[], input = ''): Promise<Answer> {
    const child = this.#children.spawn([commandFile, ...args, '--data', this.folder, '--json'], this.#environment)
    child.process.stdin?.end(input)
    let answer = ''
    child.process.stdout?.on('data', (text: string) => {
      answer += text
    })
    const { code, signal } = await child.ended
    if (code !== 0) throw failed(this.name, `anchormesh ${args.join(' ')}`, code ?? signal, child)
    return JSON.parse(answer) as Answer
  }

  /** Starts the node process and waits until it serves. */
  async start(): Promise<ReadyNode> {
    const args = [commandFile, 'start', '--data', this.folder, '--while-stdin']
    const child = this.#children.spawn(args, this.#environment)
    const ready = await firstReadyLine(child)
    if (ready === null) {
      const { code, signal } = await child.ended
      throw failed(this.name, 'anchormesh start', code ?? signal, child)
    }
    this.#running = { child, ready }
    return ready
  }

  /** Ends the process as a power cut would. */
  async kill(): Promise<void> {
    const { child } = this.#process()
    this.#running = null
    child.process.kill('SIGKILL')
    await child.ended
  }

  async stop(): Promise<void> {
    const { child } = this.#process()
    this.#running = null
    await stopChild(child, this.#context.clock)
  }

  get pid(): number {
    return this.#process().child.process.pid ?? 0
  }

  /** The node's own account of itself, by its admin listener. */
  async status(): Promise<NodeStatus> {
    return await (await this.operations()).status()
  }

  /** The running node, by its admin listener: quicker than a command for each of many things. */
  async operations(): Promise<Operations> {
    const running = await runningNode({ folder: this.folder })
    if (running === null) throw failed(this.name, 'anchormesh start', null, this.#process().child)
    return running.operations
  }

  /** Rows of a projection, as an app reads them over HTTP. */
  async query(projection: string, query: Readonly<Record<string, string>>): Promise<ProjectionPage> {
    return await this.#get<ProjectionPage>(`/v1/projections/${projection}`, query)
  }

  async digest(namespace: string): Promise<Digest> {
    return await this.#get<Digest>('/v1/digest', { namespace })
  }

  async #get<Answer>(path: string, query: Readonly<Record<string, string>>): Promise<Answer> {
    const url = new URL(path, this.#process().ready.http)
    url.search = new URLSearchParams(query).toString()
    const response = await fetch(url, { redirect: 'error', signal: this.#context.signal })
    if (!response.ok) {
      throw new AnchormeshError('INTERNAL', `${this.name} answered ${url.href} with status ${response.status}`)
    }
    return (await response.json()) as Answer
  }

  #process(): { readonly child: Child; readonly ready: ReadyNode } {
    if (this.#running === null) throw new Error(`the node of ${this.name} is not running`)
    return this.#running
  }
}

/** The ready line of a node process, or null when it ends without one. */
async function firstReadyLine(child: Child): Promise<ReadyNode | null> {
  if (child.process.stdout === null) return null
  const lines = createInterface({ input: child.process.stdout })
  const first = await Promise.race([once(lines, 'line'), child.ended])
  return Array.isArray(first) ? readReadyLine(String(first[0])) : null
}

/**
 * Listens where the system likes, on loopback alone; what the person's own environment says of a node does not hold
 * here.
 */
function demoEnvironment(environment: CommandContext['environment']): Readonly<Record<string, string | undefined>> {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith('ANCHORMESH_'))
  return {
    ...Object.fromEntries(others),
    ANCHORMESH_NODE_LISTEN: '/ip4/127.0.0.1/tcp/0',
    ANCHORMESH_HTTP_LISTEN: '127.0.0.1:0'
  }
}

function failed(name: string, command: string, how: number | NodeJS.Signals | null, child: Child): AnchormeshError {
  const what = `${name}: ${command} ended with ${how ?? 'no answer'}`
  return new AnchormeshError('INTERNAL', `${what}\n${child.errorText().trim()}`, {
    hint: 'The lines above are what the command said. --keep leaves the data folders, to look around in.'
  })
}
