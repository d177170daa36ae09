import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TRUST_NAMESPACE } from '../../src/policy/names.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { eventsOf } from '../access/events.ts'
import { quietBoth, showsNoMore } from '../access/scope-property.ts'
import { LANDS, MEMBERS, bearer, listen, openWorld, tokenFor } from '../access/world.ts'

test('a reader with a token is answered what a node would answer that holds no more than the token shows', async () => {
  // Each asks a few hundred questions; many more are in the long tests.
  await fc.assert(showsNoMore, { numRuns: 2 })
})

test('a cursor that its keeper has changed leads nowhere that the reader may not go', async () => {
  const { node } = await openWorld()
  const kinds = ['announce', 'fork', 'unknown'] as const
  const deeds = Object.entries(LANDS).flatMap(([namespace, { members }]) =>
    members.flatMap((author) => kinds.map((kind) => ({ author, namespace, kind })))
  )
  const packs = MEMBERS.map((author) => ({ author, namespace: TRUST_NAMESPACE, kind: 'pack' as const }))
  for (const { wire } of await eventsOf([...deeds, ...packs])) await node.submit(wire)
  await quietBoth(node)
  const { url } = await listen(node)
  const headers = bearer(await tokenFor(node, ['b:two']))
  const { epoch } = (await node.status()).log
  for (const { name } of PROJECTIONS) {
    for (const after of ['', '_trust!', 'a:one!', 'b:one!~', '\u{10ffff}']) {
      const cursor = Buffer.from(JSON.stringify(['page', epoch, name, after])).toString('base64url')
      for (const namespace of ['', '&namespace=b:two', '&namespace=_trust']) {
        const answer = await fetch(`${url}/v1/projections/${name}?cursor=${cursor}${namespace}`, { headers })
        const told = JSON.stringify(await answer.json())
        expect([name, after, namespace, told]).not.toEqual([
          name,
          after,
          namespace,
          expect.stringMatching(/"[ab]:one"/)
        ])
        expect(told).not.toMatch(/org-(?:ada|ben|cleo)/)
      }
    }
  }
  const everything = await (await fetch(`${url}/v1/projections/sequences`, { headers })).json()
  expect(everything).toMatchObject({
    rows: [{ orgId: 'org-dan' }, { namespace: '_trust', events: 1 }, { namespace: 'b:two', forked: true }]
  })
})
