import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { initDataFolder } from '../../src/cli/data-folder/init.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { launch, runWell } from './cli.ts'
import type { CliOptions, Running } from './cli.ts'

/** The namespace that the nodes of the tests carry. */
export const NAMESPACE = 'test:mesh'

/** Loopback alone, and every port the system's choice. */
export const LOOPBACK: Readonly<Record<string, string>> = {
  ANCHORMESH_NODE_LISTEN: '/ip4/127.0.0.1/tcp/0',
  ANCHORMESH_HTTP_LISTEN: '127.0.0.1:0'
}

/** What `start` says once it serves. */
export interface Ready {
  readonly did: string
  readonly peerId: string
  readonly multiaddrs: readonly string[]
  readonly http: string
  readonly admin: string
}

/** A node process that serves. */
export interface ServingNode extends Running {
  readonly ready: Ready
}

/** What a test looks at in the status of a node. */
export interface Status {
  readonly log: { readonly logSeq: number; readonly headHash: string }
  readonly network: { readonly topics: Readonly<Record<string, { readonly mesh: number }>> } | null
}

/** Makes a data folder for an organisation, in this process: quicker than `anchormesh init`, and the same. */
export async function init(folder: string, orgId: string): Promise<void> {
  await initDataFolder({ folder, orgId, namespaces: [NAMESPACE], random: systemRandom, clock: systemClock })
}

/** Starts a node and waits for its ready line. Fails with what it said when it ends without one. */
export async function startNode(
  folder: string,
  options: CliOptions & { readonly args?: readonly string[] } = {}
): Promise<ServingNode> {
  const environment = { ...LOOPBACK, ...options.environment }
  const node = launch(['start', '--data', folder, ...(options.args ?? [])], { ...options, environment })
  const { promise, resolve } = Promise.withResolvers<Ready | null>()
  node.process.stdout?.on('data', () => {
    const ready = readyIn(node.stdout())
    if (ready !== null) resolve(ready)
  })
  const first = await Promise.race([promise, node.ended.then(() => null)])
  if (first === null) throw new Error(`the node on ${folder} did not start: ${node.stderr()}`)
  return { ...node, ready: first }
}

/** The ready line in what a node has printed, once it is whole. */
function readyIn(stdout: string): Ready | null {
  const line = stdout
    .split('\n')
    .slice(0, -1)
    .find((text) => text.startsWith('ready '))
  return line === undefined ? null : (JSON.parse(line.slice('ready '.length)) as Ready)
}

/** Adds each node's identity to all the others by the command line, as operators do. */
export async function introduce(folders: readonly string[]): Promise<void> {
  const blocks = await Promise.all(
    folders.map((folder) => runWell(['identity', '--data', folder], { environment: LOOPBACK }))
  )
  const adding = folders.map((folder, index) =>
    runWell(['peers', 'add', '-', '--data', folder], {
      input: blocks.toSpliced(index, 1).join('\n'),
      environment: LOOPBACK
    })
  )
  await Promise.all(adding)
}

/** Tells node `to` where the running node `from` listens. */
export async function tellAddress(from: string, to: string): Promise<void> {
  const block = await runWell(['identity', '--data', from], { environment: LOOPBACK })
  await runWell(['peers', 'add', '-', '--data', to], { input: block, environment: LOOPBACK })
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

export interface AdminFile {
  readonly pid: number
  readonly url: string
  readonly token: string
}

export const adminFileOf = (folder: string): string => join(folder, 'run', 'admin.json')

export function readAdmin(folder: string): AdminFile {
  return JSON.parse(readFileSync(adminFileOf(folder), 'utf8')) as AdminFile
}

/** Asks the running node on `folder` by its admin listener. */
export async function askAdmin(folder: string, path: string, method: 'GET' | 'POST' = 'GET'): Promise<Response> {
  const { url, token } = readAdmin(folder)
  return await fetch(new URL(path, url), { method, headers: { authorization: `Bearer ${token}` } })
}

/** Waits until the node on `folder` has `peers` others in its gossip mesh, on every topic. */
export async function untilMeshed(folder: string, peers: number): Promise<void> {
  for (let attempt = 0; attempt < MESH_ATTEMPTS; attempt += 1) {
    const status = (await (await askAdmin(folder, '/v1/admin/status')).json()) as Status
    const topics = Object.values(status.network?.topics ?? {})
    if (topics.length > 0 && topics.every(({ mesh }) => mesh >= peers)) return
    await delay(MESH_POLL_MS)
  }
  throw new Error(`the node on ${folder} has found no mesh of ${peers}`)
}

/** A heartbeat of gossip is a second; on a busy machine several may pass. */
const MESH_POLL_MS = 50
const MESH_ATTEMPTS = 600
