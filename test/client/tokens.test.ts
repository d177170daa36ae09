import { expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import type { Client } from '../../src/client/index.ts'
import { ADA, CLEO, SELF, listen, openWorld, tokenFor } from '../access/world.ts'
import { announceBody, next } from '../support/events.ts'
import { failureOf, take } from './support.ts'

test('an app with an access token reads what it is for, hands in, and follows by ticket', async () => {
  const { node } = await openWorld()
  await node.submit((await next(ADA, null, announceBody('a1'), { namespace: 'a:one' })).wire)
  await node.submit((await next(CLEO, null, announceBody('b1'), { namespace: 'b:one' })).wire)
  const { url } = await listen(node, {
    subscriptions: node.gateway.subscriptions,
    federation: node.gateway.federation
  })
  const clientWith = async (...rights: readonly ('read' | 'hand-in')[]): Promise<Client> =>
    createClient({ url, token: await tokenFor(node, ['a:one'], { rights }) })
  const [both, reading] = [await clientWith('read', 'hand-in'), await clientWith('read')]

  const document = await both.node()
  expect(document).toMatchObject({ did: SELF.signer.did, keys: [{ kid: SELF.signer.kid, status: 'ACTIVE' }] })
  const { rows } = await both.query('batches')
  expect(rows.map(({ namespace }) => namespace)).toEqual(['a:one'])
  expect(await failureOf(both.query('batches', { namespace: 'b:one' }))).toMatchObject({
    code: 'ACCESS_DENIED',
    status: 403
  })

  const handIn = { namespace: 'a:one', receipts: [{ invoice: 1 }, 'two'] }
  expect(await both.handIn(handIn)).toMatchObject({ receiptHashes: { length: 2 }, queued: 2 })
  expect(await failureOf(reading.handIn(handIn))).toMatchObject({ code: 'ACCESS_DENIED' })
  expect(await failureOf(createClient({ url }).handIn(handIn))).toMatchObject({ code: 'TOKEN_REQUIRED', status: 401 })

  const { ticket, expiresAt } = await reading.ticket()
  expect([ticket.length > 20, expiresAt > 0]).toEqual([true, true])
  expect(await failureOf(createClient({ url }).ticket())).toMatchObject({ status: 401 })
  for (const transport of ['sse', 'websocket'] as const) {
    const updates = await take(reading.subscribe('batches', { transport }), 2)
    expect(updates).toMatchObject([{ frame: 'snapshot', row: { namespace: 'a:one' } }, { frame: 'caught-up' }])
  }
  for (const { id } of await node.tokens()) await node.revokeToken(id)
  const calls = [() => reading.ticket(), () => reading.query('batches'), () => both.handIn(handIn), () => both.node()]
  for (const call of calls) expect(await failureOf(call())).toMatchObject({ code: 'TOKEN_INVALID', status: 401 })
})
