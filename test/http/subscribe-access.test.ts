import { expect, test } from 'vitest'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { TRUST_NAMESPACE } from '../../src/policy/names.ts'
import { eventsOf } from '../access/events.ts'
import { quietBoth } from '../access/scope-property.ts'
import { ADA, LANDS, MEMBERS, SELF, bearer, listen, openWorld, policyWith, tokenFor } from '../access/world.ts'
import { until } from '../support/until.ts'
import { FORMS, subscribe } from './support/subscribers.ts'

async function served() {
  const world = await openWorld()
  const { node } = world
  const deeds = Object.entries(LANDS).flatMap(([namespace, { members }]) =>
    members.map((author) => ({ author, namespace, kind: 'announce' as const }))
  )
  const packs = MEMBERS.map((author) => ({ author, namespace: TRUST_NAMESPACE, kind: 'pack' as const }))
  for (const { wire } of await eventsOf([...deeds, ...packs])) await node.submit(wire)
  await quietBoth(node)
  const { url } = await listen(node, { subscriptions: node.gateway.subscriptions })
  return { ...world, url, at: (query: string) => `${url}/v1/subscribe?projection=${query}` }
}

test('a reader with a token follows the rows that its queries show, of every projection', async () => {
  const { node, url, at } = await served()
  const headers = bearer(await tokenFor(node, ['b:two']))
  for (const [index, { name }] of PROJECTIONS.entries()) {
    const page = await fetch(`${url}/v1/projections/${name}?limit=500`, { headers })
    const { rows } = (await page.json()) as { readonly rows: readonly unknown[] }
    const reader = await subscribe(at(name), FORMS[index % 2] ?? 'events', { headers })
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    // Rows of receipts show more in pages.
    if (name !== 'receipts') expect([name, [...reader.rows.values()]]).toEqual([name, rows])
  }
})

test.each(FORMS)('over %s a namespace is denied as in queries, and a revoked token ends the stream', async (form) => {
  const { node, at } = await served()
  const headers = bearer(await tokenFor(node, ['a:one']))
  for (const namespace of ['b:one', 'nobody:knows'])
    await expect(subscribe(at(`batches&namespace=${namespace}`), form, { headers })).rejects.toThrow('403')
  await expect(subscribe(at('batches&namespace=nobody:knows'), form)).rejects.toThrow('404')
  const reader = await subscribe(at('batches'), form, { headers })
  await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
  const [token] = await node.tokens()
  await node.revokeToken(token?.id ?? '')
  await until('the end', () => reader.state.ended)
  expect(reader.frames.at(-1)).toMatchObject({ frame: 'error', code: 'TOKEN_INVALID', retryable: false })
})

test.each(FORMS)(
  'over %s a ticket opens a stream for a minute, and lets no foreign page read without',
  async (form) => {
    const { node, clock, url, at } = await served()
    const headers = bearer(await tokenFor(node, ['a:one']))
    const issued = await fetch(`${url}/v1/tickets`, { method: 'POST', headers })
    const { ticket } = (await issued.json()) as { readonly ticket: string }
    const reader = await subscribe(at(`batches&ticket=${ticket}`), form)
    await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
    expect(reader.rows.size).toBe(2)
    await clock.advance(61_000)
    await expect(subscribe(at(`batches&ticket=${ticket}`), form)).rejects.toThrow('401')
    expect(reader.state.ended).toBe(false)
    const foreign = { headers: { origin: 'https://elsewhere.example' } }
    if (form === 'messages') await expect(subscribe(at('batches'), form, foreign)).rejects.toThrow('403')
  }
)

test.each(FORMS)('over %s another policy ends the streams of those who see other rows by it', async (form) => {
  const { node, at } = await served()
  const headers = bearer(await tokenFor(node, ['a:one']))
  const named = await subscribe(at('batches&namespace=a:one'), form, { headers })
  const packs = await subscribe(at('trust-anchors'), form, { headers })
  for (const reader of [named, packs]) await reader.until('caught-up', ({ frame }) => frame === 'caught-up')
  const lands = { ...LANDS, 'a:one': { tenant: 'alpha', members: [ADA] } }
  await node.reload({ config: { policy: policyWith(lands), signer: SELF.signer, version: 'test' } })
  await until('the end', () => packs.state.ended)
  expect(packs.frames.at(-1)).toMatchObject({ frame: 'error', code: 'ACCESS_DENIED', retryable: true })
  expect(named.state.ended).toBe(false)
  const others = Object.fromEntries(Object.entries(LANDS).filter(([name]) => name !== 'a:one'))
  await node.reload({
    config: { policy: policyWith(others), signer: SELF.signer, version: 'test' }
  })
  await until('the end', () => named.state.ended)
  expect(named.frames.at(-1)).toMatchObject({ frame: 'error', code: 'ACCESS_DENIED' })
})
