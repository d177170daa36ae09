import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { TRUST_NAMESPACE } from '../../src/policy/names.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import { quiet } from '../node/nodes.ts'
import type { SignedEvent } from '../support/events.ts'
import type { Deed } from './events.ts'
import { eventsOf } from './events.ts'
import type { World } from './world.ts'
import { LANDS, MEMBERS, SELF, bearer, listen, openWorld, policyWith, tokenFor } from './world.ts'

const NAMES = Object.keys(LANDS)
const deed: fc.Arbitrary<Deed> = fc.record({
  author: fc.constantFrom(...MEMBERS),
  namespace: fc.constantFrom(...NAMES, TRUST_NAMESPACE),
  kind: fc.constantFrom<Deed['kind'][]>('announce', 'announce', 'unknown', 'fork', 'pack')
})
/** What a token is made for: some namespaces of a tenant, or all of it. */
const wish = fc.constantFrom<{ readonly namespaces: readonly string[]; readonly tenant?: string }[]>(
  { namespaces: ['a:one'] },
  { namespaces: ['a:two'] },
  { namespaces: ['a:one', 'a:two'] },
  { namespaces: [], tenant: 'alpha' },
  { namespaces: ['b:two'], tenant: 'beta' },
  { namespaces: [], tenant: 'beta' }
)

/** A reader with a token is answered what a node would answer that holds no more than the token shows. */
export const showsNoMore = fc.asyncProperty(
  fc.array(deed, { minLength: 10, maxLength: 40 }),
  wish,
  fc.integer({ min: 1, max: 4 }),
  shown
)

async function shown(
  deeds: readonly Deed[],
  asked: { readonly namespaces: readonly string[]; readonly tenant?: string },
  limit: number
): Promise<void> {
  const full = await openWorld()
  const events = await eventsOf(deeds)
  const taken: SignedEvent[] = []
  for (const event of events) if ((await full.node.submit(event.wire)).outcome === 'accepted') taken.push(event)
  const headers = bearer(await tokenFor(full.node, asked.namespaces, asked))

  const tenant = LANDS[asked.namespaces[0] ?? '']?.tenant ?? asked.tenant
  const visible = NAMES.filter((name) =>
    asked.namespaces.length > 0 ? asked.namespaces.includes(name) : LANDS[name]?.tenant === tenant
  )
  const lands = Object.fromEntries(Object.entries(LANDS).filter(([name]) => visible.includes(name)))
  const peers = MEMBERS.filter((peer) => Object.values(lands).some(({ members }) => members.includes(peer)))
  const dids = new Set(peers.map(({ signer }) => signer.did))
  const less = await openWorld({ policy: policyWith(lands, peers) })
  const seen = taken.filter(({ envelope }) =>
    envelope.namespace === TRUST_NAMESPACE ? dids.has(envelope.signer) : visible.includes(envelope.namespace)
  )
  const places: { readonly full: number; readonly less: number }[] = []
  for (const { id, wire } of seen) {
    const outcome = await less.node.submit(wire)
    if (outcome.outcome !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
    places.push({ full: (await full.node.event(id))?.logSeq ?? 0, less: outcome.logSeq })
  }
  await quietBoth(full.node, less.node)

  const { url: fullUrl } = await listen(full.node)
  const { url: lessUrl } = await listen(less.node)
  const compare = async (path: string, as = path): Promise<void> => {
    expect([path, await pages(fullUrl, path, headers)]).toEqual([path, await pages(lessUrl, as)])
  }
  const past = places[Math.floor(places.length / 2)]
  for (const { name } of PROJECTIONS) {
    await compare(`/v1/projections/${name}?limit=${limit}`)
    const at = `/v1/projections/${name}?limit=${limit}&at=`
    if (past !== undefined) await compare(at + past.full, at + past.less)
    for (const namespace of [...visible, TRUST_NAMESPACE])
      await compare(`/v1/projections/${name}?limit=${limit}&namespace=${namespace}`)
  }
  await compare(`/v1/projections/peers?limit=${limit}`)
  await compare(`/v1/events?limit=${limit}`)
  await compare(`/v1/events?limit=${limit}&namespace=${TRUST_NAMESPACE}`)
  for (const { signer } of [...MEMBERS, SELF]) await compare(`/v1/events?signer=${signer.did}`)
  for (const { id } of events) await compare(`/v1/events/${id}`)
  for (const namespace of visible) await compare(`/v1/digest?namespace=${namespace}`)
  for (const namespace of NAMES.filter((name) => !visible.includes(name)))
    for (const path of ['/v1/projections/batches', '/v1/projections/peers', '/v1/events', '/v1/digest'])
      expect((await fetch(`${fullUrl}${path}?namespace=${namespace}`, { headers })).status).toBe(403)
  await full.node.close()
  await less.node.close()
}

/** All pages of an answer, without what says where in its log a node has something. */
async function pages(url: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const found: unknown[] = []
  for (let more = '', count = 0; ; count += 1) {
    const answer = await fetch(`${url}${path}${more}`, { headers })
    const { nextCursor, next, ...body } = (await answer.json()) as JsonObject
    // Where events stand in the log differs, and with it how pages of them are cut.
    found.push([answer.status, typeof nextCursor === 'string' ? placeIn(nextCursor) : null, shared(body)])
    if (typeof nextCursor === 'string') more = `&cursor=${nextCursor}`
    else if (typeof next === 'number') more = `&after=${next}`
    else return found
    if (count > 200) throw new Error(`no end of ${path}`)
  }
}

/** The key that a cursor goes on from. */
function placeIn(cursor: string): unknown {
  return (JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[])[3]
}

const LOCAL: ReadonlySet<string> = new Set([
  'logSeq',
  'epoch',
  'firstSeenLogSeq',
  'requestId',
  'addresses',
  'note',
  'score'
])

function shared(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shared)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !LOCAL.has(name))
      // Every peer is a member of `_trust`, which an operator is shown, too.
      .map(([name, member]) => [name, name === 'namespaces' ? withoutTrust(member) : shared(member)])
  )
}

function withoutTrust(namespaces: unknown): unknown {
  return (namespaces as readonly { readonly namespace: string }[]).filter(
    ({ namespace }) => namespace !== TRUST_NAMESPACE
  )
}

/** Resolves when nothing is under way at the nodes any more. */
export async function quietBoth(...nodes: readonly World['node'][]): Promise<void> {
  await quiet(...nodes.map((node) => ({ node }) as Parameters<typeof quiet>[number]))
}
