import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { quiet } from '../node/nodes.ts'
import { CrashStore } from '../support/crash-store.ts'
import { FailingStore, HeldStore } from '../support/stores.ts'
import { until } from '../support/until.ts'
import type { Answer, Partner } from './support/partners.ts'
import { Partner as PartnerClient, registeredPartner } from './support/partners.ts'
import { subscribe } from './support/subscribers.ts'
import type { WholeGateway } from './support/whole-gateway.ts'
import { startWholeGateway } from './support/whole-gateway.ts'

const IN = { namespace: 'a:one' }

const told = ({ status, code = 'taken' }: Answer): string => `${status} ${code}`

const rowsOf = async ({ memory, node }: WholeGateway): Promise<readonly unknown[]> => {
  await quiet(memory)
  return (await node.query('deliveries', {})).rows
}

/** Until the log has opened its store anew. */
async function healed({ clock, memory }: WholeGateway): Promise<void> {
  for (let seconds = 0; seconds < 10; seconds += 1) await clock.advance(1_000)
  await quiet(memory)
}

it('of many deliveries with one token at the same moment one is taken, and logged once', async () => {
  const gateway = await startWholeGateway()
  const partner = await registeredPartner(gateway)
  const token = await partner.token()
  const answers = await Promise.all(Array.from({ length: 8 }, () => partner.deliver(token, IN)))
  expect(answers.map(told).toSorted()).toEqual(['201 taken', ...Array.from({ length: 7 }, () => '401 TOKEN_INVALID')])
  expect(await rowsOf(gateway)).toHaveLength(1)
})

describe('a disk that takes nothing', () => {
  const PLACES = ['nonce', 'blob', 'log record, lost', 'log record, kept'] as const
  it.each(PLACES)('no receipt is given for what is not synced: %s', async (place) => {
    const store = new FailingStore(await openMemoryStore())
    const blobs = new FailingStore(await openMemoryStore())
    const gateway = await startWholeGateway({ ports: { store, blobs } })
    const partner = await registeredPartner(gateway)
    const body = await partner.deliveryBody(await partner.token(), IN)
    store.mode = place === 'log record, kept' ? 'kept' : 'lost'
    const prefix = place === 'nonce' ? 'q!' : 'r!'
    if (place === 'blob') blobs.full = () => true
    else store.full = (key) => key.startsWith(prefix)
    const failed = await partner.post('deliver', body)
    expect([told(failed), failed.receipt]).toEqual(['503 STORE_FULL', undefined])
    store.full = blobs.full = () => false
    await healed(gateway)
    // What became of it is told by the projection; the same bytes are not taken again.
    expect(await rowsOf(gateway)).toHaveLength(place === 'log record, kept' ? 1 : 0)
    expect(await partner.post('deliver', body)).toMatchObject({ status: 401, detail: 'replay' })
    expect(told(await partner.deliver(await partner.token(), IN))).toBe('201 taken')
    expect(await rowsOf(gateway)).toHaveLength(place === 'log record, kept' ? 2 : 1)
  })

  it.each([1_024, new Error('EIO: statfs')])('too little room, or nobody knows how much: %s', async (free) => {
    const store = new FailingStore(await openMemoryStore())
    const gateway = await startWholeGateway({ ports: { store } })
    const partner = await registeredPartner(gateway)
    const body = await partner.deliveryBody(await partner.token(), IN)
    store.free = free
    expect(told(await partner.post('deliver', body))).toBe('503 STORE_FULL')
    // Nothing was used up.
    store.free = Infinity
    await healed(gateway)
    expect(told(await partner.post('deliver', body))).toBe('201 taken')
  })
})

it('a crash at any moment of a delivery leaves one answer: the record for each receipt that was given, and never two', async () => {
  const disk = await CrashStore.open()
  const blobs = await CrashStore.open()
  const gateway = await startWholeGateway({ ports: { store: disk, blobs, checkpoint: disk.checkpoint } })
  const partner = await registeredPartner(gateway)
  const token = await partner.token()
  const [before, blobsBefore] = [disk.writes, blobs.writes]
  const body = await partner.deliveryBody(token, IN)
  expect(told(await partner.post('deliver', body))).toBe('201 taken')
  const receiptAt = disk.durable
  for (let writes = before; writes <= receiptAt; writes += 1) {
    for (const blobWrites of writes === receiptAt ? [blobs.writes] : [blobsBefore, blobs.writes]) {
      const left = await disk.afterCrash(writes)
      const ports = { ...left, blobs: (await blobs.afterCrash(blobWrites)).store, clock: gateway.clock }
      const again = await startWholeGateway({ ports, seed: `${writes} ${blobWrites}` })
      const client: Partner = new PartnerClient(again, partner.signer)
      const rows = await rowsOf(again)
      if (writes === receiptAt) expect(rows).toHaveLength(1)
      // Its token went with the process, so the same bytes are never taken; the sender begins anew.
      const repeated = await client.post('deliver', body)
      expect(repeated.status, JSON.stringify(repeated)).toBe(401)
      expect(await rowsOf(again)).toHaveLength(rows.length)
      expect(told(await client.deliver(await client.token(), IN))).toBe('201 taken')
      expect(await rowsOf(again)).toHaveLength(rows.length + 1)
    }
  }
})

it('a node that stops finishes the deliveries that it has, and tells its subscribers', async () => {
  const store = new HeldStore(await openMemoryStore())
  const gateway = await startWholeGateway({ ports: { store } })
  const { url, node, listener } = gateway
  const partner = await registeredPartner(gateway)
  const address = `${url}/v1/subscribe?projection=batches`
  const readers = await Promise.all(Array.from({ length: 100 }, () => subscribe(address, 'events')))
  const tokens = await Promise.all(Array.from({ length: 5 }, () => partner.token()))
  store.held = Promise.withResolvers()
  const open = tokens.map((token) => partner.deliver(token, IN))
  await until('a delivery is being written', () => store.waiting > 0)
  const closing = listener.close()
  await Promise.all(readers.map((reader) => reader.until('its end', ({ frame }) => frame === 'error')))
  store.held.resolve()
  const answers = await Promise.allSettled(open)
  await closing
  await node.close()
  // A request that had not come yet when the listener closed has no answer; all that came have one.
  const taken = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [told(answer.value)] : []))
  expect(taken).toContain('201 taken')
  expect(taken.filter((one) => one !== '201 taken' && one !== '503 NODE_NOT_RUNNING')).toEqual([])
  expect(readers.map(({ frames }) => frames.at(-1))).toEqual(
    readers.map(() => expect.objectContaining({ frame: 'error', code: 'NODE_NOT_RUNNING' }) as unknown)
  )
})
