import { describe, expect, test } from 'vitest'
import type { TokenRequest } from '../../src/access/token-operations.ts'
import { TOKENS_MAX } from '../../src/access/tokens.ts'
import { tokenKey } from '../../src/log/keys.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { codeOf } from '../support/code-of.ts'
import { collect } from '../support/collect.ts'
import { WrappedStore } from '../support/stores.ts'
import { BEN, LANDS, listen, openWorld, policyWith, tokenFor, bearer } from './world.ts'
import type { World } from './world.ts'

const DAY_MS = 86_400_000

/** The code with which this fails. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(() => 'done', codeOf)
}

/** What a token opens now, or why nothing. */
async function opens({ node }: World, token: string): Promise<readonly string[] | string> {
  const granting = await node.gateway.access.ofToken(token)
  return granting.ok ? [...(granting.grant.scope.namespaces ?? ['everything'])].sort() : granting.code
}

describe('creating', () => {
  test('gives the secret once; the store has only a hash of it, and it outlives a restart', async () => {
    const world = await openWorld()
    const created = await world.node.createToken({ namespaces: ['a:two', 'a:one'], rights: ['read'], label: 'dash' })
    const now = world.clock.now()
    expect(created).toMatchObject({
      tenant: 'alpha',
      wholeTenant: false,
      namespaces: ['a:one', 'a:two'],
      rights: ['read'],
      label: 'dash',
      createdAt: now,
      expiresAt: now + 90 * DAY_MS,
      isExpired: false,
      lastUsedAt: null
    })
    expect(created.token).toMatch(new RegExp(`^${created.id}\\.[A-Za-z0-9_-]{43}$`))
    const stored = Buffer.from((await world.store.get(tokenKey(created.id))) ?? []).toString()
    expect(stored).not.toContain(created.token.split('.')[1])
    const { token, ...view } = created
    expect(await world.node.tokens()).toEqual([view])
    expect(await opens(world, token)).toEqual(['a:one', 'a:two'])
    expect(await world.node.tokens()).toEqual([{ ...view, lastUsedAt: now }])
    await world.node.close()
    await world.store.reopen()
    const again = await openWorld({ store: world.store, seed: 'again' })
    expect(await opens(again, token)).toEqual(['a:one', 'a:two'])
  })

  test('is on record, with everything but the secret', async () => {
    const { node } = await openWorld()
    const token = await tokenFor(node, ['a:one'], { tenant: 'alpha', label: 'x' })
    const [id = '', secret = ''] = token.split('.')
    await node.revokeToken(id)
    await node.auditTrail.flushed()
    const records = await collect(node.audit({ actor: 'operator' }))
    expect(records.filter(({ action }) => action.startsWith('TOKEN'))).toMatchObject([
      { action: 'TOKEN_CREATED', subject: id, outcome: 'ok', detail: { tenant: 'alpha', namespaces: 'a:one' } },
      { action: 'TOKEN_REVOKED', subject: id, outcome: 'ok' }
    ])
    expect(JSON.stringify(records)).not.toContain(secret)
  })

  const REFUSED: readonly (readonly [string, TokenRequest, string])[] = [
    ['nothing to see', { namespaces: [], rights: ['read'] }, 'USAGE'],
    ['no right', { namespaces: ['a:one'], rights: [] }, 'USAGE'],
    ['namespaces of two tenants', { namespaces: ['a:one', 'b:one'], rights: ['read'] }, 'USAGE'],
    ['another tenant than theirs', { namespaces: ['a:one'], tenant: 'beta', rights: ['read'] }, 'USAGE'],
    ['the reserved namespace', { namespaces: ['_trust'], rights: ['read'] }, 'USAGE'],
    ['a namespace that is not carried', { namespaces: ['a:nine'], rights: ['read'] }, 'NOT_FOUND'],
    ['a tenant without a namespace', { namespaces: [], tenant: 'gamma', rights: ['read'] }, 'NOT_FOUND'],
    ['a second', { namespaces: ['a:one'], rights: ['read'], ttlMs: 1_000 }, 'USAGE'],
    ['twenty years', { namespaces: ['a:one'], rights: ['read'], ttlMs: 7_300 * DAY_MS }, 'USAGE'],
    ['a fraction of time', { namespaces: ['a:one'], rights: ['read'], ttlMs: 60_000.5 }, 'USAGE'],
    ['a label of two lines', { namespaces: ['a:one'], rights: ['read'], label: 'a\nb' }, 'USAGE']
  ]
  test('refuses what makes no sense under the policy in force', async () => {
    const { node } = await openWorld()
    for (const [what, request, code] of REFUSED)
      expect([what, await failureOf(node.createToken(request))]).toEqual([what, code])
    expect(await node.tokens()).toEqual([])
  })

  test('takes as many as there is room for; expired ones make room', async () => {
    const world = await openWorld()
    const { node, clock } = world
    const soon = await tokenFor(node, ['a:one'], { ttlMs: 60_000 })
    for (let count = 1; count < TOKENS_MAX; count += 1) await tokenFor(node, ['a:one'])
    expect(await failureOf(tokenFor(node, ['a:one']))).toBe('TOKENS_FULL')
    await clock.advance(60_000)
    expect(await opens(world, soon)).toBe('TOKEN_EXPIRED')
    expect(await opens(world, await tokenFor(node, ['a:one']))).toEqual(['a:one'])
    expect(await opens(world, soon)).toBe('TOKEN_INVALID')
    expect(await node.tokens()).toHaveLength(TOKENS_MAX)
  })
})

describe('a token opens nothing', () => {
  test('that is none, or of which a character is another', async () => {
    const world = await openWorld()
    const token = await tokenFor(world.node, ['a:one'])
    const [id = '', secret = ''] = token.split('.')
    const others = ['', '.', id, `${id}.`, `${id}.${secret}x`, `${id}.${secret.slice(1)}`, `x${token}`, secret]
    const flipped = `${id}.${secret.startsWith('A') ? 'B' : 'A'}${secret.slice(1)}`
    for (const other of [...others, flipped, token.toUpperCase()])
      expect([other, await opens(world, other)]).toEqual([other, 'TOKEN_INVALID'])
    expect(await opens(world, token)).toEqual(['a:one'])
  })

  test('from the millisecond on at which it ends', async () => {
    const world = await openWorld()
    const token = await tokenFor(world.node, ['a:one'], { ttlMs: 60_000 })
    await world.clock.advance(59_999)
    expect(await opens(world, token)).toEqual(['a:one'])
    await world.clock.advance(1)
    expect(await opens(world, token)).toBe('TOKEN_EXPIRED')
    // Who does not hold it learns nothing.
    expect(await opens(world, `${token.split('.')[0]}.${'A'.repeat(43)}`)).toBe('TOKEN_INVALID')
    expect(await world.node.tokens()).toMatchObject([{ isExpired: true }])
  })

  test('once it is revoked, also after a restart; those who hold streams of it are told', async () => {
    const world = await openWorld()
    const token = await tokenFor(world.node, ['a:one'])
    const id = token.split('.')[0] ?? ''
    const told: string[] = []
    world.node.gateway.access.onRevoked((actor) => told.push(actor))
    const granting = await world.node.gateway.access.ofToken(token)
    await world.node.revokeToken(id)
    expect([await opens(world, token), told]).toEqual(['TOKEN_INVALID', [`token:${id}`]])
    if (granting.ok)
      expect(world.node.gateway.access.again(granting.grant.scope)).toEqual({ ok: false, code: 'TOKEN_INVALID' })
    expect(await failureOf(world.node.revokeToken(id))).toBe('NOT_FOUND')
    await world.node.close()
    await world.store.reopen()
    expect(await opens(await openWorld({ store: world.store }), token)).toBe('TOKEN_INVALID')
  })

  test('whose record is damaged; the others are as good as before', async () => {
    const world = await openWorld()
    const [damaged, other] = [await tokenFor(world.node, ['a:one']), await tokenFor(world.node, ['a:two'])]
    await world.node.close()
    await world.store.reopen()
    const key = tokenKey(damaged.split('.')[0] ?? '')
    const record = Buffer.from((await world.store.get(key)) ?? []).toString()
    const widened = record.replace('"alpha"', '"Alpha"')
    await world.store.write([{ type: 'put', key, value: widened }], { sync: true })
    const again = await openWorld({ store: world.store, seed: 'again' })
    expect([await opens(again, damaged), await opens(again, other)]).toEqual(['TOKEN_INVALID', ['a:two']])
  })

  test('that could not be stored; and one that could not be struck out can be struck out again', async () => {
    const store = new FailingStore(await openMemoryStore())
    const world = await openWorld({ store })
    const token = await tokenFor(world.node, ['a:one'])
    const id = token.split('.')[0] ?? ''
    store.fails = true
    await expect(tokenFor(world.node, ['a:two'])).rejects.toThrow('no room')
    await expect(world.node.revokeToken(id)).rejects.toThrow('no room')
    store.fails = false
    expect((await world.node.tokens()).map((known) => known.id)).toEqual([id])
    await world.node.revokeToken(id)
    expect(await world.node.tokens()).toEqual([])
  })
})

class FailingStore extends WrappedStore {
  fails = false

  override async write(...args: Parameters<WrappedStore['write']>): Promise<void> {
    if (this.fails && args[0].some(({ key }) => key.startsWith('j!'))) throw new Error('no room')
    await super.write(...args)
  }
}

describe('under another policy', () => {
  test('a token never shows a namespace that has left its tenant, or is carried no more', async () => {
    const world = await openWorld()
    const named = await tokenFor(world.node, ['a:one', 'a:two'])
    const whole = await tokenFor(world.node, [], { tenant: 'alpha' })
    expect(await opens(world, whole)).toEqual(['a:one', 'a:two'])
    await world.node.close()
    await world.store.reopen()
    const moved = {
      ...LANDS,
      'a:one': { tenant: 'beta', members: [BEN] },
      'a:new': { tenant: 'alpha', members: [BEN] }
    }
    const after = await openWorld({ store: world.store, policy: policyWith(moved), seed: 'after' })
    expect([await opens(after, named), await opens(after, whole)]).toEqual([['a:two'], ['a:new', 'a:two']])
    await after.node.close()
    await world.store.reopen()
    const rest = Object.fromEntries(Object.entries(moved).filter(([name]) => name !== 'a:two'))
    const last = await openWorld({ store: world.store, policy: policyWith(rest), seed: 'last' })
    expect([await opens(last, named), await opens(last, whole)]).toEqual([[], ['a:new']])
    const { url } = await listen(last.node)
    const ask = async (path: string): Promise<number> =>
      (await fetch(`${url}${path}`, { headers: bearer(named) })).status
    expect(await ask('/v1/projections/batches')).toBe(200)
    expect(await ask('/v1/projections/batches?namespace=a:one')).toBe(403)
  })

  test('a certificate shows the namespaces where its DID is a member, and a tenant in whose key domain all its keys are', async () => {
    const { node } = await openWorld({ policy: policyWith(LANDS, undefined, { 'org-ben': 'alpha' }) })
    const { access } = node.gateway
    const { scope } = access.ofCertificate(BEN.signer.did)
    expect([[...(scope.namespaces ?? [])], scope.tenant, scope.isOperator]).toEqual([
      ['a:one', 'a:two'],
      'alpha',
      false
    ])
    const stranger = access.ofCertificate('did:key:z6MkNobody').scope
    expect([stranger.namespaces?.size, stranger.tenant]).toEqual([0, ''])
  })

  test('what belongs to the tenant as a whole is shown to tokens that name the tenant', async () => {
    const { node } = await openWorld()
    const tenantOf = async (token: string): Promise<string | null> => {
      const granting = await node.gateway.access.ofToken(token)
      return granting.ok ? granting.grant.scope.tenant : granting.code
    }
    expect(await tenantOf(await tokenFor(node, ['a:one']))).toBe('')
    expect(await tenantOf(await tokenFor(node, ['a:one'], { tenant: 'alpha' }))).toBe('alpha')
    expect(await tenantOf(await tokenFor(node, [], { tenant: 'alpha', rights: ['hand-in'] }))).toBe('')
  })
})
