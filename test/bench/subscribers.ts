import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { report, median } from './report.ts'
import type { Asked, Told } from './subscribers-server.ts'

/**
 * What it costs the node that one event reaches 1,000 subscribers, beside writing as many bytes to as many plain
 * sockets; and what an idle subscriber weighs. The node is one process, all readers are in this one. Half of them are
 * event streams, half WebSockets.
 */
const SUBSCRIBERS = 1_000
const ROUNDS = 12
const EVENTS_A_ROUND = 10
/** They stretch the heap and compile the code before memory is looked at. */
const WARM_UP = 50
const CONNECTS_AT_ONCE = 100
const HANDSHAKE =
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

const server = fork(join(import.meta.dirname, 'subscribers-server.ts'), [String((ROUNDS + 2) * EVENTS_A_ROUND)], {
  execArgv: ['--expose-gc']
})
const ready = await told('ready')
const { hostname, port } = new URL(ready.url)

/** Counts what comes over connections; nothing is looked at but the length. */
class Readers {
  readonly #sockets: Socket[] = []
  #received = 0
  #wanted = Infinity
  #reached: () => void = () => {}

  async open(
    count: number,
    port: number,
    request: (index: number) => string,
    isOpen: (text: string) => boolean
  ): Promise<void> {
    for (let from = 0; from < count; from += CONNECTS_AT_ONCE) {
      const some = Array.from({ length: Math.min(CONNECTS_AT_ONCE, count - from) }, (_, index) =>
        this.#openOne(port, request(from + index), isOpen)
      )
      await Promise.all(some)
    }
  }

  async #openOne(port: number, request: string, isOpen: (text: string) => boolean): Promise<void> {
    const socket = connect({ port, host: hostname, noDelay: true })
    this.#sockets.push(socket)
    await once(socket, 'connect')
    const begun = Promise.withResolvers<void>()
    let text = ''
    const begin = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      if (!isOpen(text)) return
      socket.off('data', begin)
      socket.on('data', (bytes: Buffer) => this.#count(bytes.length))
      begun.resolve()
    }
    socket.on('data', begin)
    socket.on('error', begun.reject)
    if (request === '') {
      socket.off('data', begin)
      socket.on('data', (bytes: Buffer) => this.#count(bytes.length))
      return
    }
    socket.write(request)
    await begun.promise
  }

  /** Resolves once so many bytes have come since it was called. */
  async receive(bytes: number): Promise<void> {
    if (this.#received < bytes) {
      await new Promise<void>((resolve) => {
        this.#wanted = bytes
        this.#reached = resolve
      })
    }
    this.#received -= bytes
    this.#wanted = Infinity
  }

  get received(): number {
    return this.#received
  }

  reset(): void {
    this.#received = 0
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #count(bytes: number): void {
    this.#received += bytes
    if (this.#received >= this.#wanted) this.#reached()
  }
}

const requestOf = (index: number): string =>
  `GET /v1/subscribe?projection=batches HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${index % 2 === 0 ? '' : HANDSHAKE}\r\n`
const isCaughtUp = (text: string): boolean => text.includes('"caught-up"')

const warmUp = new Readers()
await warmUp.open(WARM_UP, Number(port), requestOf, isCaughtUp)
await event()
warmUp.close()
await untilSubscribers(0)
const before = await memory()
const readers = new Readers()
await readers.open(SUBSCRIBERS, Number(port), requestOf, isCaughtUp)
const after = await untilSubscribers(SUBSCRIBERS)
const perSubscriber = (after - before) / SUBSCRIBERS

const raw = new Readers()
await raw.open(
  SUBSCRIBERS,
  ready.rawPort,
  () => '',
  () => true
)
// What one event is for all readers together: the first shows it, the others must come to the same.
readers.reset()
await event()
await settle()
const bytesOfEvent = readers.received
readers.reset()

const ratios: number[] = []
const costs: number[] = []
for (let round = 0; round < ROUNDS; round += 1) {
  const pair = round % 2 === 0 ? [ofEvents, ofRaw] : [ofRaw, ofEvents]
  const found = new Map<unknown, number>()
  for (const measure of pair) found.set(measure, await cpuOf(measure))
  const [ours = 0, theirs = 0] = [found.get(ofEvents), found.get(ofRaw)]
  // The first rounds warm the code up.
  if (round < 2) continue
  ratios.push(ours / theirs)
  costs.push(ours / EVENTS_A_ROUND / 1_000)
}
report('subscribers', [
  { name: 'subscribers, half of them WebSockets', value: SUBSCRIBERS, unit: 'connections' },
  { name: 'bytes of one event for one of them', value: bytesOfEvent / SUBSCRIBERS, unit: 'bytes' },
  { name: 'CPU of one event that reaches all', value: median(costs), unit: 'ms' },
  {
    name: 'CPU of one event that reaches all, of the same bytes to plain sockets',
    value: median(ratios),
    unit: 'ratio',
    bound: 2,
    compare: '<='
  },
  { name: 'memory of an idle subscriber', value: perSubscriber / 1_024, unit: 'KiB', bound: 64, compare: '<=' }
])
say({ kind: 'end' })
readers.close()
raw.close()
await once(server, 'exit')

async function ofEvents(): Promise<void> {
  for (let index = 0; index < EVENTS_A_ROUND; index += 1) {
    await event()
    // Lengths differ by the digits of counters.
    await readers.receive(bytesOfEvent - 8 * SUBSCRIBERS)
    await settle()
    readers.reset()
  }
}

async function ofRaw(): Promise<void> {
  const bytes = Math.round(bytesOfEvent / SUBSCRIBERS)
  for (let index = 0; index < EVENTS_A_ROUND; index += 1) {
    say({ kind: 'raw', bytes })
    await told('done')
    await raw.receive(bytes * SUBSCRIBERS)
    await settle()
  }
}

async function cpuOf(work: () => Promise<void>): Promise<number> {
  const began = await cpu()
  await work()
  return (await cpu()) - began
}

async function cpu(): Promise<number> {
  say({ kind: 'cpu' })
  return (await told('cpu')).microseconds
}

async function event(): Promise<void> {
  say({ kind: 'event' })
  await told('done')
}

/** Until nothing more comes. */
async function settle(): Promise<void> {
  for (let last = -1; last !== readers.received;) {
    last = readers.received
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
}

async function memory(): Promise<number> {
  say({ kind: 'memory' })
  return (await told('memory')).bytes
}

/** The memory once there are so many. */
async function untilSubscribers(count: number): Promise<number> {
  for (;;) {
    say({ kind: 'memory' })
    const { bytes, subscribers } = await told('memory')
    if (subscribers === count) return bytes
  }
}

function say(asked: Asked): void {
  server.send(asked)
}

async function told<Kind extends Told['kind']>(kind: Kind): Promise<Extract<Told, { kind: Kind }>> {
  const [message] = (await once(server, 'message')) as [Told]
  if (message.kind !== kind) throw new Error(`told ${message.kind} instead of ${kind}`)
  return message as Extract<Told, { kind: Kind }>
}
