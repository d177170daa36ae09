import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { NAMESPACE } from '../support/identities.ts'
import { load } from './http-load.ts'
import type { Asked, Told } from './http-messages.ts'
import type { Figure } from './report.ts'
import { median, report } from './report.ts'

/**
 * What a query of one thing costs over HTTP, beside a bare fastify route in the same process that sends the same bytes.
 * Requests come over kept connections from a process of its own; rounds alternate between the two.
 */
const BATCHES = 200
const ROUNDS = 5
const REQUESTS = 1_000
const CONNECTIONS = 16

const server = fork(join(import.meta.dirname, 'http-server.ts'), [String(BATCHES)])
const ready = await told('ready')

const BATCH = `namespace=${encodeURIComponent(NAMESPACE)}&batchId=batch-${BATCHES - 7}`
const POINTS: readonly { readonly name: string; readonly path: string }[] = [
  { name: 'winners, one batch', path: `/v1/projections/winners?${BATCH}` },
  { name: 'batches, one batch', path: `/v1/projections/batches?${BATCH}` },
  { name: 'timestamp anchors of one batch', path: `/v1/projections/timestamp-anchors?${BATCH}` },
  { name: 'an event by its id', path: `/v1/events/${ready.id}` }
]

const figures: Figure[] = []
for (const [index, { name, path }] of POINTS.entries()) {
  const url = ready.node + path
  const response = await fetch(url)
  const body = await response.text()
  if (response.status !== 200 || body.includes('"rows":[]')) throw new Error(`${url}: ${response.status} ${body}`)
  say({ kind: 'bare', name: String(index), body: Buffer.from(body).toString('base64') })
  await told('cpu')
  figures.push(...(await compare(name, url, `${ready.bare}/bare/${index}`)))
  const etag = response.headers.get('etag')
  if (etag !== null && index === 0)
    figures.push(
      ...(await compare(`${name}, not modified`, url, `${ready.bare}/bare/${index}`, `if-none-match: ${etag}\r\n`))
    )
}
report('http', figures)
say({ kind: 'end' })
await once(server, 'exit')

async function compare(name: string, node: string, bare: string, headers: string = ''): Promise<Figure[]> {
  const rates: number[] = []
  const ratios: number[] = []
  const cpu: number[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const pair = round % 2 === 0 ? ([node, bare] as const) : ([bare, node] as const)
    const costs = new Map<string, { readonly seconds: number; readonly cpu: number }>()
    for (const url of pair) costs.set(url, await measure(url, url === node ? headers : ''))
    const [ours, theirs] = [costs.get(node), costs.get(bare)]
    // The first round warms the code up.
    if (round === 0 || ours === undefined || theirs === undefined) continue
    rates.push(REQUESTS / ours.seconds)
    ratios.push(theirs.seconds / ours.seconds)
    cpu.push(theirs.cpu / ours.cpu)
  }
  return [
    { name: `${name}: requests`, value: median(rates), unit: '1/s' },
    {
      name: `${name}: requests/s, of the bare route’s`,
      value: median(ratios),
      unit: 'ratio',
      bound: 0.5,
      compare: '>='
    },
    { name: `${name}: CPU of the bare route’s answer, of this one’s`, value: median(cpu), unit: 'ratio' }
  ]
}

async function measure(url: string, headers: string): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const before = await cpuOf()
  const seconds = await load(url, { count: REQUESTS, connections: CONNECTIONS, headers })
  return { seconds, cpu: (await cpuOf()) - before }
}

/** Microseconds of the process that answers. */
async function cpuOf(): Promise<number> {
  say({ kind: 'cpu' })
  const { usage } = await told('cpu')
  return usage.user + usage.system
}

function say(asked: Asked): void {
  server.send(asked)
}

async function told<Kind extends Told['kind']>(kind: Kind): Promise<Extract<Told, { kind: Kind }>> {
  const [message] = (await once(server, 'message')) as [Told]
  if (message.kind !== kind) throw new Error(`told ${message.kind} instead of ${kind}`)
  return message as Extract<Told, { kind: Kind }>
}
