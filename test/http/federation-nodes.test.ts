import { expect, it } from 'vitest'
import { verifierKeyOf } from '../../protocols/checkpoint/v1/note.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { member } from '../support/identities.ts'
import { AUTHORIZED, ask, problemOf } from './support/listeners.ts'
import { HOME, PEER, postJson, startPartnerNode } from './support/partners.ts'

const { signer } = member('partner')
const KEY = { did: signer.did, kid: signer.kid, publicKey: toBase64url(signer.publicKey) }

it('an operator registers a key, sees it, and takes it back', async () => {
  const node = await startPartnerNode()
  const url = `${node.adminUrl}/v1/admin/nodes`
  const first = await node.register(signer)
  const shown = { ...KEY, tenant: null, registeredAt: node.clock.now() }
  expect([first.status, await first.json()]).toEqual([201, shown])
  expect((await node.register(signer)).status).toBe(200)
  expect(await (await ask(url)).json()).toEqual({ nodes: [shown] })
  expect(await problemOf(await node.register(signer, { tenant: 'other' }))).toMatchObject({
    status: 409,
    code: 'KEY_EXISTS'
  })
  const search = new URLSearchParams({ did: KEY.did, kid: KEY.kid })
  const removed = await ask(`${url}?${search}`, { method: 'DELETE' })
  expect([removed.status, await removed.json()]).toEqual([200, { did: KEY.did, kid: KEY.kid }])
  expect((await ask(`${url}?${search}`, { method: 'DELETE' })).status).toBe(404)
  expect(await (await ask(url)).json()).toEqual({ nodes: [] })
})

it('refuses what is no key, keys of peers, and who does not show the token', async () => {
  const { adminUrl } = await startPartnerNode()
  const url = `${adminUrl}/v1/admin/nodes`
  const weak = toBase64url(Uint8Array.of(1, ...new Uint8Array(31)))
  const invalid = [
    { ...KEY, did: 'partner' },
    { ...KEY, kid: '' },
    { ...KEY, publicKey: KEY.publicKey.slice(1) },
    { ...KEY, publicKey: `${KEY.publicKey.slice(0, -1)}_` },
    { ...KEY, did: 'did:web:partner.example', publicKey: weak },
    { ...KEY, publicKey: toBase64url(PEER.signer.publicKey) },
    { ...KEY, tenant: 'Other' },
    { ...KEY, more: 1 },
    { did: KEY.did, kid: KEY.kid },
    []
  ]
  for (const body of invalid)
    expect(await problemOf(await postJson(url, body))).toMatchObject({ status: 422, code: 'BODY_INVALID' })
  for (const known of [HOME, PEER]) {
    const body = { did: known.signer.did, kid: 'new', publicKey: toBase64url(known.signer.publicKey) }
    expect(await problemOf(await postJson(url, body))).toMatchObject({ status: 409, code: 'KEY_EXISTS' })
  }
  const headers = { ...AUTHORIZED, authorization: 'Bearer other', 'content-type': 'application/json' }
  expect((await fetch(url, { method: 'POST', headers, body: JSON.stringify(KEY) })).status).toBe(401)
})

it('shows partners who it is, and by which keys', async () => {
  const { url } = await startPartnerNode()
  const response = await fetch(`${url}/v1/federation/node`)
  const { did, kid, publicKey } = HOME.signer
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    did,
    peerId: null,
    orgId: HOME.orgId,
    keys: [{ kid, publicKey: toBase64url(publicKey), status: 'ACTIVE' }],
    protocols: expect.arrayContaining(['delivery/v1', 'event/v1']),
    checkpointKey: verifierKeyOf({ signer: did, kid }, publicKey)
  })
  expect((await fetch(`${url}/v1/federation/node?x=1`)).status).toBe(400)
})
