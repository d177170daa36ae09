import { describe, expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { AuditChain, FIRST_BASE } from '../../protocols/audit/v1/record.ts'
import { SyslogForwarder } from '../../src/audit/forwarder.ts'
import { SENT_AT_ONCE_MAX } from '../../src/audit/limits.ts'
import type { Retention } from '../../src/audit/retention.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { auditRecordKey } from '../../src/log/keys.ts'
import type { Store } from '../../src/log/store.ts'
import { createTlsSyslogTransport } from '../../src/network/syslog/tls-transport.ts'
import type { TlsCredentials, TlsTransportOptions } from '../../src/network/syslog/tls-transport.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { Collector } from './collector.ts'
import { makeCertificates, startCollector } from './collector.ts'
import type { TestAudit } from './support.ts'
import { entryOf, eventually, openTestAudit, recordsOf } from './support.ts'

const certificates = makeCertificates()

/** A hundred times quicker: what takes a second takes 10 ms. */
const QUICK: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 100,
  after: (delayMs, run) => systemClock.after(delayMs / 100, run)
}

interface Forwarding {
  readonly forwarder: SyslogForwarder
  readonly collector: string
}

async function forward(
  { audit, store }: TestAudit,
  port: number,
  options: Partial<TlsTransportOptions> = {}
): Promise<Forwarding> {
  const to = { host: 'localhost', port, hostname: 'node-1', ca: certificates.ca, ...options }
  const transport = createTlsSyslogTransport(to, systemClock)
  const ports = { log: audit, store, trail: audit, transport, clock: QUICK, random: seededRandom('f') }
  const forwarder = new SyslogForwarder({ ...ports, logger: silentLogger })
  await forwarder.open()
  forwarder.start()
  onTestFinished(() => forwarder.stop())
  return { forwarder, collector: transport.collector }
}

const reached = ({ forwarder }: Forwarding): Promise<void> =>
  eventually(() => forwarder.status().behind === 0 && forwarder.status().state === 'idle', systemClock)

const failing = ({ forwarder }: Forwarding): Promise<void> =>
  eventually(() => forwarder.status().lastError !== null, systemClock)

async function audited(count: number, options: { store?: Store; retention?: Retention } = {}): Promise<TestAudit> {
  const opened = await openTestAudit(options)
  await add(opened, count)
  return opened
}

async function add({ audit }: TestAudit, count: number): Promise<void> {
  const from = audit.head.seq
  for (let index = 1; index <= count; index += 1)
    audit.record(entryOf(`s${from + index} "quoted" [\\] ä€`, { outcome: index % 3 === 0 ? 'refused' : 'ok' }))
  await audit.flushed()
}

const seqsOf = (collector: Collector): number[] => collector.records().map(({ seq }) => seq)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
/**
 * In order, each at least once; what is repeated goes back to an earlier one and goes on from there. On a busy machine a
 * collector may be too late to say that it has read everything, and gets it again.
 */
function expectAllOnceAtLeast(seqs: readonly number[], count: number): void {
  expect([...new Set(seqs)].toSorted((left, right) => left - right)).toEqual(upTo(count))
  let last = 0
  for (const seq of seqs) {
    expect(seq).toBeLessThanOrEqual(last + 1)
    last = seq
  }
}

test('every record comes, in order, as RFC 5424 has it, and the chain can be checked there', async () => {
  const collector = await startCollector(certificates)
  const opened = await audited(5)
  const forwarding = await forward(opened, collector.port)
  await reached(forwarding)
  await add(opened, 3)
  await reached(forwarding)
  const stored = await recordsOf(opened)
  expect(collector.records()).toEqual(stored)
  const chain = new AuditChain(FIRST_BASE)
  for (const [index, message] of collector.messages().entries()) {
    const record = stored[index]
    if (record === undefined) throw new Error('one too many')
    const { seq, requestId, actor, subject, outcome, at } = record
    expect(message).toMatchObject({
      facility: 13,
      severity: outcome === 'ok' ? 6 : 4,
      timestamp: new Date(at).toISOString(),
      hostname: 'node-1',
      appName: 'anchormesh',
      procId: '-',
      msgId: 'ADMIN_CALL'
    })
    expect(message.elements).toEqual({ 'audit@32473': { seq: String(seq), requestId, actor, subject, outcome } })
    expect(chain.take(seq, Buffer.from(message.text))).toBeNull()
  }
  expect(forwarding.forwarder.status()).toMatchObject({ state: 'idle', behind: 0, missed: 0, lastError: null })
})

test('a collector that speaks TLS 1.2 at the most gets all, over several connections too, and one of TLS 1.1 nothing', async () => {
  const collector = await startCollector(certificates, { maxVersion: 'TLSv1.2' })
  const opened = await audited(SENT_AT_ONCE_MAX + 10)
  const forwarding = await forward(opened, collector.port)
  await reached(forwarding)
  await add(opened, 3)
  await reached(forwarding)
  expect(seqsOf(collector)).toEqual(upTo(SENT_AT_ONCE_MAX + 13))

  const old = await startCollector(certificates, { maxVersion: 'TLSv1.1' })
  const refused = await forward(await audited(3), old.port)
  await failing(refused)
  expect(refused.forwarder.status()).toMatchObject({
    behind: 3,
    lastError: expect.stringMatching(/version/i) as string
  })
  expect(old.messages()).toEqual([])
})

test('many go over several connections, each closed to learn that all came', async () => {
  const collector = await startCollector(certificates)
  const opened = await audited(2 * SENT_AT_ONCE_MAX + 10)
  await reached(await forward(opened, collector.port))
  expectAllOnceAtLeast(seqsOf(collector), 2 * SENT_AT_ONCE_MAX + 10)
  // On a machine that is slow one is closed for its age, too.
  expect(collector.connections()).toBeGreaterThanOrEqual(2)
})

test('a collector that is away and comes back gets what it missed', async () => {
  const first = await startCollector(certificates)
  const opened = await audited(4)
  const forwarding = await forward(opened, first.port)
  await reached(forwarding)
  await first.stop()
  await add(opened, 4)
  await failing(forwarding)
  expect(forwarding.forwarder.status()).toMatchObject({
    behind: 4,
    lastError: expect.stringMatching(/ECONN/) as string
  })
  const second = await startCollector(certificates, { port: first.port })
  await reached(forwarding)
  expect(seqsOf(second)).toEqual([5, 6, 7, 8])
  expect(forwarding.forwarder.status()).toMatchObject({ behind: 0, lastError: null })
})

test('the place is durable: another process goes on where the first was, and a new collector gets all', async () => {
  const collector = await startCollector(certificates)
  const opened = await audited(4)
  const { forwarder, collector: address } = await forward(opened, collector.port)
  await eventually(() => forwarder.status().behind === 0, systemClock)
  await forwarder.stop()
  await opened.audit.close()
  const had = seqsOf(collector).length
  const again = await openTestAudit({ store: opened.store })
  await add(again, 2)
  await reached(await forward(again, collector.port))
  expect(address).toBe(`localhost:${collector.port}`)
  expectAllOnceAtLeast(seqsOf(collector), 6)
  expect(Math.min(...seqsOf(collector).slice(had))).toBe(5)
  const other = await startCollector(certificates)
  await reached(await forward(again, other.port))
  expectAllOnceAtLeast(seqsOf(other), 6)
})

describe('what was on its way when a connection broke comes again', () => {
  test.each([
    ['the collector resets', 'reset'],
    ['the collector closes', 'end'],
    ['the collector is killed', 'kill']
  ] as const)('%s', async (_what, how) => {
    let broken = 0
    const collector = await startCollector(certificates, {
      onConnection: (socket, take, tcp) => {
        const breaks = broken < 3
        if (breaks) broken += 1
        socket.on('data', (chunk: Buffer) => {
          if (!breaks) take(chunk)
          else if (how === 'reset') tcp.resetAndDestroy()
          else if (how === 'end') socket.end()
          // The system ends TCP for a process that is gone, when it has read what had come.
          else tcp.end()
        })
      }
    })
    const opened = await audited(300)
    await reached(await forward(opened, collector.port))
    expect(broken).toBe(3)
    expectAllOnceAtLeast(seqsOf(collector), 300)
  })

  test('a collector that takes the data into its buffers and never reads them', async () => {
    let stuck = true
    const collector = await startCollector(certificates, {
      onConnection: (socket, take) => {
        if (stuck) {
          socket.pause()
          systemClock.after(30, () => socket.destroy())
        } else socket.on('data', take)
      }
    })
    const opened = await audited(20)
    const forwarding = await forward(opened, collector.port)
    await failing(forwarding)
    expect(forwarding.forwarder.status().behind).toBe(20)
    stuck = false
    await reached(forwarding)
    expectAllOnceAtLeast(seqsOf(collector), 20)
  })
})

test('a slow collector gets everything', async () => {
  const collector = await startCollector(certificates, {
    onConnection: (socket, take) => {
      socket.on('data', (chunk: Buffer) => {
        take(chunk)
        socket.pause()
        systemClock.after(2, () => socket.resume())
      })
    }
  })
  const opened = await audited(900)
  await reached(await forward(opened, collector.port))
  expectAllOnceAtLeast(seqsOf(collector), 900)
})

describe('certificates', () => {
  test.each([
    ['of another name', { certificate: 'other' } as const, {}, /altnames|does not match/i],
    ['of an authority that is not named', {}, { ca: certificates.read('strange.pem') }, /verify|issuer|self/i],
    ['asked of this node, which has none', { asksClients: true }, {}, /./]
  ])('%s: nothing is counted as delivered', async (_what, server, options, reason) => {
    const collector = await startCollector(certificates, server)
    const opened = await audited(3)
    const forwarding = await forward(opened, collector.port, options)
    await failing(forwarding)
    expect(forwarding.forwarder.status()).toMatchObject({
      behind: 3,
      lastError: expect.stringMatching(reason) as string
    })
    expect(collector.messages()).toEqual([])
  })

  test('a node shows its own, and a collector may be named by its address', async () => {
    const collector = await startCollector(certificates, { asksClients: true })
    const opened = await audited(3)
    const own = { cert: certificates.read('client.pem'), key: certificates.read('client.key') }
    await reached(await forward(opened, collector.port, { ...own, host: '127.0.0.1' }))
    expect(seqsOf(collector)).toEqual([1, 2, 3])
  })
})

test('certificates that are renewed while the node runs are shown at the next connection', async () => {
  const collector = await startCollector(certificates, { asksClients: true })
  const opened = await audited(2)
  let shown: TlsCredentials | null = null
  const forwarding = await forward(opened, collector.port, { renewed: () => Promise.resolve(shown) })
  await failing(forwarding)
  shown = { ca: certificates.ca, cert: certificates.read('client.pem'), key: certificates.read('client.key') }
  await reached(forwarding)
  shown = null
  await add(opened, 2)
  await reached(forwarding)
  expectAllOnceAtLeast(seqsOf(collector), 4)
})

describe('gaps', () => {
  test('what retention dropped before it was sent is told, and recorded', async () => {
    const retention = { retentionMs: 1e12, maxRecords: 1_000 }
    const opened = await audited(2_000, { retention })
    await add(opened, 1)
    const { base } = opened.audit
    const collector = await startCollector(certificates)
    const forwarding = await forward(opened, collector.port)
    await eventually(() => collector.messages().some(({ msgId }) => msgId === 'AUDIT_NOT_FORWARDED'), systemClock)
    const [first, second] = collector.messages()
    expect(first).toMatchObject({ msgId: 'AUDIT_GAP', facility: 13, severity: 3 })
    expect(first?.elements).toEqual({
      'gap@32473': { fromSeq: '1', toSeq: String(base.seq), reason: 'retention' }
    })
    expect(second?.elements['audit@32473']?.['seq']).toBe(String(base.seq + 1))
    expect(forwarding.forwarder.status().missed).toBe(base.seq)
  })

  test('what is damaged is told, and the rest comes', async () => {
    const opened = await audited(6)
    await opened.store.write(
      [
        { type: 'put', key: auditRecordKey(2), value: 'x' },
        { type: 'del', key: auditRecordKey(4) },
        { type: 'del', key: auditRecordKey(6) }
      ],
      { sync: true }
    )
    const collector = await startCollector(certificates)
    const forwarding = await forward(opened, collector.port)
    await eventually(() => forwarding.forwarder.status().missed === 3, systemClock)
    expect(
      collector
        .messages()
        .map(({ msgId, text }) => (msgId === 'AUDIT_GAP' ? text : msgId))
        .slice(0, 6)
    ).toEqual([
      'ADMIN_CALL',
      '{"fromSeq":2,"reason":"damage","toSeq":2}',
      'ADMIN_CALL',
      '{"fromSeq":4,"reason":"damage","toSeq":4}',
      'ADMIN_CALL',
      '{"fromSeq":6,"reason":"damage","toSeq":6}'
    ])
  })

  test('a log that is not the one that was forwarded is found out, and sent as a whole', async () => {
    const collector = await startCollector(certificates)
    const opened = await audited(3)
    const { forwarder } = await forward(opened, collector.port)
    await eventually(() => forwarder.status().behind === 0, systemClock)
    await forwarder.stop()
    // Somebody writes the log anew, with all its hashes, and leaves the place alone.
    const forged = await openTestAudit()
    for (const subject of ['f1', 'f2', 'f3']) forged.audit.record(entryOf(subject))
    await forged.audit.flushed()
    for (const seq of [1, 2, 3]) {
      const value = await forged.store.get(auditRecordKey(seq))
      await opened.store.write([{ type: 'put', key: auditRecordKey(seq), value: value ?? '' }], { sync: true })
    }
    const isOther = (await recordsOf(opened))[0]?.hash !== collector.records()[0]?.hash
    expect(isOther).toBe(true)
    const head = await forged.store.get('u!head')
    await opened.store.write([{ type: 'put', key: 'u!head', value: head ?? '' }], { sync: true })
    expect((await verifyAudit(opened.store)).problems).toEqual([
      { seq: 3, problem: 'it is not the one that the collector has got' }
    ])
    const again = await openTestAudit({ store: opened.store })
    await reached(await forward(again, collector.port))
    expect(seqsOf(collector)).toEqual([1, 2, 3, 1, 2, 3, 4])
    expect((await recordsOf(again)).at(-1)).toMatchObject({ action: 'AUDIT_DAMAGED' })
  })
})
