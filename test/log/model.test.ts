import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { collect } from '../support/collect.ts'
import type { TestLog } from './support.ts'
import { appendAll, local, openTestLog, unsignedEvent } from './support.ts'

interface Step {
  readonly author: number
  readonly namespace: number
  /** Which of the chain's events this one follows, from the newest; beyond the first it is a fork. */
  readonly back: number
  /** Whether a batch ends here. */
  readonly ends: boolean
  /** A local event in between. */
  readonly local: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  author: fc.nat(2),
  namespace: fc.nat(1),
  back: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  ends: fc.boolean(),
  local: fc.boolean()
})

/** The same as the log's indexes, without any index. */
class NaiveLog {
  readonly events: (VerifiedEvent | null)[] = []

  of(namespace: string): VerifiedEvent[] {
    return this.events.filter((event) => event?.envelope.namespace === namespace) as VerifiedEvent[]
  }

  chain(author: string, namespace: string): VerifiedEvent[] {
    return this.of(namespace).filter(({ envelope }) => envelope.signer === unsignedEvent({ author }).envelope.signer)
  }

  tips(namespace: string): string[] {
    const followed = new Set(this.of(namespace).map(({ envelope }) => envelope.prev))
    return this.of(namespace)
      .map(({ id }) => id)
      .filter((id) => !followed.has(id))
      .sort()
  }

  logSeqOf(id: string): number {
    return this.events.findIndex((event) => event?.id === id) + 1
  }

  positionsAt(chain: string, authorSeq: number): number[] {
    return this.events.flatMap((event, index) =>
      event !== null && chainIdOf(event.envelope) === chain && event.envelope.authorSeq === authorSeq ? [index + 1] : []
    )
  }
}

const NAMESPACES = ['dao:one', 'dao:two']

async function play(steps: readonly Step[], log: TestLog['log']): Promise<NaiveLog> {
  const naive = new NaiveLog()
  let batch: VerifiedEvent[] = []
  for (const [index, { author, namespace, back, ends, local: hasLocal }] of steps.entries()) {
    const name = NAMESPACES[namespace] ?? ''
    const chain = naive.chain(`author-${author}`, name)
    // Beyond the beginning of the chain: another first event.
    const before = chain.at(-1 - back) ?? null
    const event = unsignedEvent({ author: `author-${author}`, namespace: name, before, body: { index } })
    naive.events.push(event)
    batch.push(event)
    if (!ends && !hasLocal) continue
    await appendAll(log, batch)
    batch = []
    if (hasLocal) {
      await log.append([local({ index })])
      naive.events.push(null)
    }
  }
  await appendAll(log, batch)
  return naive
}

async function compare({ log, store, checkpoint }: TestLog, naive: NaiveLog): Promise<void> {
  expect(log.head.logSeq).toBe(naive.events.length)
  for (const namespace of NAMESPACES) {
    expect((await collect(log.tips(namespace))).map(({ id }) => id).sort()).toEqual(naive.tips(namespace))
    expect(await log.count(namespace)).toBe(naive.of(namespace).length)
    for await (const tip of log.tips(namespace)) expect(tip.logSeq).toBe(naive.logSeqOf(tip.id))
  }
  for (const event of naive.events) {
    if (event === null) continue
    const chain = chainIdOf(event.envelope)
    const { authorSeq, ts } = event.envelope
    expect(await log.find(event.id)).toEqual({ logSeq: naive.logSeqOf(event.id), authorSeq, ts, chain })
    expect(await log.positionsAt(chain, authorSeq, 1_000)).toEqual(naive.positionsAt(chain, authorSeq))
    if (log.isOpenTip(event.id)) expect(naive.tips(event.envelope.namespace)).toContain(event.id)
  }
  await log.writeCheckpoint()
  expect(await verifyLog(store, checkpoint)).toMatchObject({ ok: true, records: naive.events.length, problems: [] })
}

test('whatever the chains, forks and batches: tips, counts and index say what a walk over all events says, also after reopening', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const opened = await openTestLog()
      const naive = await play(steps, opened.log)
      await compare(opened, naive)
      await opened.log.close()
      const { store, checkpoint } = opened
      const again = await openTestLog({ store, checkpoint })
      await compare(again, naive)
    }),
    { numRuns: 60 }
  )
})
