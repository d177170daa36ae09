import { describe, expect, it } from 'vitest'
import type { SimulatedHost } from '../../../simulations/network/simulated-host.ts'
import { SimulatedNet } from '../../../simulations/network/simulated-net.ts'
import type { SimulatedSocket } from '../../../simulations/network/socket.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { linkSchema } from '../../../simulations/scenario/schema.ts'
import type { LinkRule } from '../../../simulations/scenario/schema.ts'
import { SimulatedProcess } from '../../../simulations/world/simulated-process.ts'
import { VirtualTime } from '../../../simulations/world/virtual-time.ts'

const LATENCY_MS = 10
const never = new AbortController().signal

interface Heard {
  readonly said: string[]
  readonly socket: SimulatedSocket<string>
}

/** Two machines, `a` and `b`, in a network of their own. */
class TwoHosts {
  readonly time = new VirtualTime((done) => void setImmediate(done))
  readonly net: SimulatedNet<string>
  readonly a: SimulatedHost<string>
  readonly b: SimulatedHost<string>
  readonly processes: Record<string, SimulatedProcess> = {}
  readonly #startUs = this.time.nowUs

  constructor(rule: Partial<LinkRule> = {}) {
    const fixed = { ...linkSchema.parse({}), latency: { constantMs: LATENCY_MS }, bandwidthMbps: 1e9, ...rule }
    this.net = new SimulatedNet({ time: this.time, random: seededRandom('net'), rule: () => fixed })
    this.a = this.boot('a')
    this.b = this.boot('b')
  }

  boot(name: string): SimulatedHost<string> {
    const process = new SimulatedProcess(name, seededRandom(name))
    this.processes[name] = process
    const host = this.net.host(name)
    host.boot(process)
    return host
  }

  async run(ms: number): Promise<void> {
    await this.time.runUntil(this.time.nowUs + ms * 1_000)
  }

  /** Whatever it is told, with the time at which it is. */
  hear(socket: SimulatedSocket<string>): Heard {
    const said: string[] = []
    const note = (what: string) => (): void => void said.push(`${this.#ms()} ${what}`)
    const frame = (text: string): void => note(text)()
    socket.attach({ frame, drain: note('drain'), end: note('end'), reset: note('reset') })
    return { said, socket }
  }

  async connect(withinMs = 3 * LATENCY_MS): Promise<{ near: Heard; far: Heard }> {
    const accepted = Promise.withResolvers<Heard>()
    this.b.listen((socket) => accepted.resolve(this.hear(socket)))
    const dialled = this.a.connect('b', never)
    await this.run(withinMs)
    const connecting = await dialled
    if (!connecting.ok) throw new Error(connecting.code)
    return { near: this.hear(connecting.socket), far: await accepted.promise }
  }

  #ms(): number {
    return Math.round((this.time.nowUs - this.#startUs) / 1_000)
  }
}

describe('sockets', () => {
  it('carry frames in their order, and say when one side has finished', async () => {
    const hosts = new TwoHosts()
    const { near, far } = await hosts.connect()
    near.socket.send('one', 3)
    near.socket.send('two', 3)
    near.socket.end()
    await hosts.run(100)
    expect(far.said).toEqual(['40 one', '40 two', '40 end'])
    expect(near.said).toEqual(['50 end'])
  })

  it('bring what was sent over a cut link after the heal, and nothing against the direction of the cut', async () => {
    const hosts = new TwoHosts()
    const { near, far } = await hosts.connect()
    const heal = hosts.net.cut((from) => from === 'a')
    near.socket.send('late', 4)
    far.socket.send('at once', 7)
    await hosts.run(1_000)
    expect([near.said, far.said]).toEqual([['40 at once'], []])
    heal()
    await hosts.run(1_000)
    expect(far.said).toHaveLength(1)
    expect(Number(far.said[0]?.split(' ')[0])).toBeGreaterThanOrEqual(1_030)
  })

  it('send what waited for the heal no faster than the link is', async () => {
    const hosts = new TwoHosts({ bandwidthMbps: 1 })
    const { near, far } = await hosts.connect(100)
    const heal = hosts.net.cut(() => true)
    for (let sent = 0; sent < 4; sent += 1) {
      near.socket.send(`${sent}`, 62_500)
      await hosts.run(100)
    }
    await hosts.run(9_500)
    heal()
    await hosts.run(20_000)
    const times = far.said.map((line) => Number(line.split(' ')[0]))
    expect(far.said.map((line) => line.split(' ')[1])).toEqual(['0', '1', '2', '3'])
    // A frame takes half a second of the link, and its headers a little more.
    expect(times.map((at) => Math.round((at - (times[0] ?? 0)) / 10) * 10)).toEqual([0, 500, 1_000, 1_500])
  })

  it('have the sender wait when 256 KiB are under way, and hold no more over a cut link', async () => {
    const hosts = new TwoHosts()
    const { near } = await hosts.connect()
    const heal = hosts.net.cut(() => true)
    const room = Array.from({ length: 5 }, () => near.socket.send('x', 65_536))
    expect(room).toEqual([true, true, true, false, false])
    heal()
    await hosts.run(100)
    expect(near.said).toEqual(['40 drain'])
  })

  it('have the sender wait for a process that is paused', async () => {
    const hosts = new TwoHosts()
    const { near, far } = await hosts.connect()
    hosts.processes['b']?.pause()
    for (let sent = 0; sent < 5; sent += 1) near.socket.send('x', 65_536)
    await hosts.run(100)
    expect([near.said, far.said]).toEqual([[], []])
    hosts.time.resume(hosts.processes['b'] as SimulatedProcess)
    await hosts.run(100)
    expect(near.said).toEqual(['130 drain'])
    expect(far.said).toHaveLength(5)
  })

  it('break at once when a process crashes, and when one answers that it knows nothing of the connection', async () => {
    const hosts = new TwoHosts()
    const { near } = await hosts.connect()
    hosts.b.halt({ power: false })
    await hosts.run(100)
    expect(near.said).toEqual(['40 reset'])
  })

  it('are silent when a machine loses power, until it is there again', async () => {
    const hosts = new TwoHosts()
    const { near } = await hosts.connect()
    hosts.b.halt({ power: true })
    near.socket.send('lost', 4)
    await hosts.run(100)
    expect(near.said).toEqual([])
    hosts.boot('b')
    near.socket.send('who are you', 11)
    await hosts.run(100)
    expect(near.said).toEqual(['150 reset'])
  })

  it('leave the other side half open when they are broken while the link is cut', async () => {
    const hosts = new TwoHosts()
    const { near, far } = await hosts.connect()
    const heal = hosts.net.cut(() => true)
    near.socket.send('lost', 4)
    near.socket.reset()
    heal()
    await hosts.run(1_000)
    expect(far.said).toEqual([])
    far.socket.send('still there?', 12)
    await hosts.run(100)
    expect(far.said).toEqual(['1050 reset'])
  })

  it('have whole messages overtaken and doubled, and frames of a stream never', async () => {
    const hosts = new TwoHosts({ duplicate: 0.5, reorder: 0.5, latency: { uniformMs: [10, 60] } })
    const { near, far } = await hosts.connect(300)
    const all = Array.from({ length: 20 }, (_, index) => `${index}`)
    for (const text of all) near.socket.send(text, 1)
    await hosts.run(1_000)
    const stream = far.said.splice(0).map((line) => line.split(' ')[1])
    expect(stream).toEqual(all)
    for (const text of all) near.socket.send(text, 1, true)
    await hosts.run(1_000)
    const messages = far.said.map((line) => line.split(' ')[1])
    expect(messages.length).toBeGreaterThan(all.length)
    expect(new Set(messages)).toEqual(new Set(all))
    expect([...new Set(messages)]).not.toEqual(all)
  })
})

describe('dials', () => {
  it('are refused where nobody listens, and unanswered by a machine without power', async () => {
    const hosts = new TwoHosts()
    const refused = hosts.a.connect('b', never)
    await hosts.run(100)
    expect(await refused).toEqual({ ok: false, code: 'ECONNREFUSED' })
    hosts.b.halt({ power: false })
    const refusedToo = hosts.a.connect('b', never)
    await hosts.run(100)
    expect(await refusedToo).toEqual({ ok: false, code: 'ECONNREFUSED' })
    hosts.b.halt({ power: true })
    const patience = new AbortController()
    const unanswered = hosts.a.connect('b', patience.signal)
    await hosts.run(10_000)
    patience.abort(new Error('enough'))
    await expect(unanswered).rejects.toThrow('enough')
  })

  it('over a cut link come through after the heal, if somebody still waits', async () => {
    const hosts = new TwoHosts()
    const heal = hosts.net.cut((from) => from === 'b')
    hosts.b.listen(() => {})
    const patience = new AbortController()
    const given = hosts.a.connect('b', patience.signal)
    const kept = hosts.a.connect('b', never)
    await hosts.run(1_000)
    patience.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    heal()
    await hosts.run(1_000)
    expect(await kept).toMatchObject({ ok: true })
  })
})
