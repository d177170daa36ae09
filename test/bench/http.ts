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
const BATCHES = 20_000
const ROUNDS = 7
const REQUESTS = 2_000
const REQUESTS_WARM = 10_000
const CONNECTIONS = 16
/** A leak of 100 bytes a request would be 2 MiB. */
const REQUESTS_HELD = 20_000

const server = fork(join(import.meta.dirname, 'http-server.ts'), [String(BATCHES)], {
  execArgv: ['--expose-gc', ...process.execArgv]
})
const ready = await told('ready')

const ofBatch =
  (projection: string) =>
  (index: number): string =>
    `/v1/projections/${projection}?namespace=${encodeURIComponent(NAMESPACE)}&batchId=batch-${index}`
const ids = ready.ids
const POINTS: readonly { readonly name: string; readonly path: (index: number) => string }[] = [
  { name: 'winners, one batch', path: ofBatch('winners') },
  { name: 'batches, one batch', path: ofBatch('batches') },
  { name: 'timestamp anchors of one batch', path: ofBatch('timestamp-anchors') },
  { name: 'an event by its id', path: (index) => `/v1/events/${ids[index]}` }
]
// What is asked for, each time something else, comes again only after more than a node keeps answers to.
const OTHERS = Array.from({ length: 10_000 }, (_, index) => index)

const figures: Figure[] = []
for (const [index, { name, path }] of POINTS.entries()) {
  const url = ready.node + path(BATCHES - 7)
  const response = await fetch(url)
  const body = await response.text()
  if (response.status !== 200 || body.includes('"rows":[]')) throw new Error(`${url}: ${response.status} ${body}`)
  say({ kind: 'bare', name: String(index), body: Buffer.from(body).toString('base64') })
  await told('cpu')
  const bare = `${ready.bare}/bare/${index}`
  figures.push(...(await compare(`${name}, again`, [url], bare)))
  const others = OTHERS.map((other) => ready.node + path(other))
  figures.push(...(await compare(`${name}, each time another`, others, bare)))
  const etag = response.headers.get('etag')
  if (etag !== null && index === 0)
    figures.push(...(await compare(`${name}, not modified`, [url], bare, `if-none-match: ${etag}\r\n`)))
}
const batches = OTHERS.map((index) => ready.node + ofBatch('winners')(index))
figures.push(
  ...(await compare(
    'winners, one batch, again with an access token',
    batches.slice(0, 1),
    `${ready.bare}/bare/0`,
    `authorization: Bearer ${ready.token}\r\n`
  )),
  ...(await memory(batches))
)
report('http', figures)
say({ kind: 'end' })
await once(server, 'exit')

async function compare(
  name: string,
  node: readonly string[],
  bareUrl: string,
  headers: string = ''
): Promise<Figure[]> {
  const bare = [bareUrl]
  const rates: number[] = []
  const ratios: number[] = []
  const cpu: number[] = []
  // Each round goes on where the one before it ended, so that nothing comes again too soon.
  let from = 0
  const asked = async (urls: readonly string[], count: number): Promise<Cost> => {
    const cost = await measure(urls, { count, from, headers: urls === node ? headers : '' })
    if (urls === node) from += count
    return cost
  }
  // What is asked first must not be compared with code that is not compiled yet.
  for (const urls of [node, bare]) await asked(urls, REQUESTS_WARM)
  for (let round = 0; round < ROUNDS; round += 1) {
    const pair = round % 2 === 0 ? ([node, bare] as const) : ([bare, node] as const)
    const costs = new Map<readonly string[], Cost>()
    for (const urls of pair) costs.set(urls, await asked(urls, REQUESTS))
    const [ours, theirs] = [costs.get(node), costs.get(bare)]
    if (ours === undefined || theirs === undefined) continue
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

interface Cost {
  readonly seconds: number
  readonly cpu: number
}

async function measure(
  urls: readonly string[],
  asking: { readonly count: number; readonly from: number; readonly headers: string }
): Promise<Cost> {
  const before = await cpuOf()
  const seconds = await load(urls, { ...asking, connections: CONNECTIONS })
  return { seconds, cpu: (await cpuOf()) - before }
}

/** What is left in memory after many more requests than it has been warmed up by. */
async function memory(urls: readonly string[]): Promise<Figure[]> {
  const before = await heapOf()
  await load(urls, { count: REQUESTS_HELD, connections: CONNECTIONS })
  const after = await heapOf()
  const mebibytes = (bytes: number): number => bytes / 2 ** 20
  return [
    {
      name: `heap and buffers kept after ${REQUESTS_HELD} more requests`,
      value: mebibytes(after.bytes - before.bytes),
      unit: 'MiB',
      bound: 4,
      compare: '<='
    },
    { name: 'heap and buffers', value: mebibytes(after.bytes), unit: 'MiB' },
    { name: 'resident memory', value: mebibytes(after.residentBytes), unit: 'MiB' }
  ]
}

async function heapOf(): Promise<Extract<Told, { kind: 'heap' }>> {
  say({ kind: 'heap' })
  return await told('heap')
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
