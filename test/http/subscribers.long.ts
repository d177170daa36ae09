import { expect, test } from 'vitest'
import { createAdminClient } from '../../src/http/admin-client.ts'
import { newFolder } from '../support/cli.ts'
import { NAMESPACE, init, readAdmin, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'
import type { Form, Reader } from './support/subscribers.ts'
import { subscribe } from './support/subscribers.ts'

const SUBSCRIBERS = 1_000
const AT_ONCE = 50
const BATCHES = 20
const KILLS = 2
const DEADLINE_MS = 120_000

/** One app over all its connections. */
interface App {
  readonly form: Form
  readonly seen: string[]
  reader: Reader | null
}

const nameOf = (number: number): string => `batch-${String(number).padStart(4, '0')}`

async function connectAll(apps: readonly App[], url: string): Promise<void> {
  for (let from = 0; from < apps.length; from += AT_ONCE) {
    await Promise.all(
      apps.slice(from, from + AT_ONCE).map(async (app) => {
        const cursor = app.reader?.cursor()
        const query = `projection=batches&namespace=${NAMESPACE}${cursor === undefined ? '' : `&cursor=${cursor}`}`
        app.reader = await subscribe(`${url}/v1/subscribe?${query}`, app.form, { hasCursor: cursor !== undefined })
        // From here on it has a cursor to go on from, whenever the node is killed.
        await app.reader.until('caught-up', ({ frame }) => frame === 'caught-up')
      })
    )
  }
}

/** Takes what each has got since it last connected. */
function collect(apps: readonly App[]): void {
  for (const { reader, seen } of apps)
    for (const frame of reader?.frames ?? []) {
      if (frame.frame === 'snapshot') throw new Error('everything comes as changes')
      if (frame.frame === 'change') seen.push(String(frame.row?.['batchId']))
    }
}

test('1,000 subscribers on one node, which is killed and started again: each gets every event, in order', async () => {
  const folder = newFolder()
  await init(folder, 'org')
  const apps = Array.from({ length: SUBSCRIBERS }, (_, index): App => ({
    form: index % 2 === 0 ? 'events' : 'messages',
    seen: [],
    reader: null
  }))
  let number = 0
  for (let run = 0; run <= KILLS; run += 1) {
    const node = await startNode(folder)
    await connectAll(apps, node.ready.http)
    const admin = createAdminClient(readAdmin(folder))
    for (let count = 0; count < BATCHES; count += 1) {
      const batch = { namespace: NAMESPACE, batchId: nameOf(number) }
      await admin.seal({ ...batch, receipts: [{ number }] })
      await admin.announce({ ...batch, timestampAnchors: [] })
      number += 1
    }
    const last = nameOf(number - 1)
    const hasLast = ({ reader }: App): boolean =>
      reader?.frames.findLast((frame) => frame.frame === 'change')?.key.includes(last) === true
    // The last run alone is waited for: the others are killed while some have not got all.
    if (run === KILLS) await until('everybody has the last batch', () => apps.every(hasLast), DEADLINE_MS)
    node.process.kill('SIGKILL')
    await node.ended
    await until('everybody notices', () => apps.every(({ reader }) => reader?.state.ended === true), DEADLINE_MS)
    collect(apps)
  }
  const all = Array.from({ length: number }, (_, index) => nameOf(index))
  for (const { seen } of apps) {
    // A batch is announced, and may be folded once more with its receipts; what is new comes in order.
    expect([...new Set(seen)]).toEqual(all)
  }
})
