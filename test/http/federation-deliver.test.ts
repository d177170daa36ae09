import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { checkReceipt, decodeReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { TOKEN_LIVES_MS, encodeDelivery } from '../../protocols/delivery/v1/request.ts'
import { bytesOfHex, fromBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { parseCheckpoint } from '../../protocols/checkpoint/v1/note.ts'
import { DELIVERIES_UNDER_WAY } from '../../src/http/federation-routes.ts'
import { reopen } from '../node/nodes.ts'
import { untilAnswer } from '../support/until-answer.ts'
import { NAMESPACE, member, policyOf } from '../support/identities.ts'
import {
  HOME,
  PEER,
  Partner,
  freshNonce,
  postText,
  registeredPartner,
  servePartners,
  startPartnerNode
} from './support/partners.ts'
import { problemOf, rawExchange } from './support/listeners.ts'

const SKEW_MS = 300_000

interface Document {
  readonly did: string
  readonly keys: readonly { readonly kid: string; readonly publicKey: string; readonly status: string }[]
}

describe('a delivery', () => {
  it('is taken with a token, and its receipt holds against the node document and the log', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const challenge = await partner.challenge()
    expect(challenge).toEqual({ status: 201, token: challenge.token, expiresAt: node.clock.now() + TOKEN_LIVES_MS })
    const delivery = partner.deliveryOf(challenge.token ?? '', { payload: { report: ['€', 1.5, null] } })
    const { body, hash } = await encodeDelivery(delivery, (input) => partner.signer.sign(input))
    const response = await postText(`${node.url}/v1/federation/deliver`, body)
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const { receipt } = (await response.json()) as { receipt: Parameters<typeof decodeReceipt>[0] }

    const document = (await (await fetch(`${node.url}/v1/federation/node`)).json()) as Document
    const decoding = decodeReceipt(receipt)
    if (!decoding.ok) throw new Error(decoding.detail)
    const { decoded } = decoding
    const shown = document.keys.find(({ kid }) => kid === decoded.receipt.kid)
    expect(shown?.status).toBe('ACTIVE')
    const checked = checkPublicKey(fromBase64url(shown?.publicKey ?? '') ?? new Uint8Array())
    if (!checked.ok) throw new Error(checked.detail)
    const found = checkReceipt(decoded, {
      sender: partner.signer.did,
      receiver: document.did,
      deliveryHash: hash,
      key: checked.key
    })
    if (!found.ok) throw new Error(found.detail)

    const { logSeq, checkpoint } = decoded.receipt
    const note = parseCheckpoint(utf8(checkpoint))
    if (!note.ok) throw new Error(note.detail)
    const { size, root } = note.note
    const inclusion = (await (
      await fetch(`${node.url}/v1/log/inclusion?logSeq=${logSeq}&size=${size}`)
    ).json()) as Record<'recordHash' | 'leafHash' | 'root', string> & { proof: string[] }
    expect(inclusion).toMatchObject({ recordHash: found.recordHash, leafHash: found.leafHash, root: toHex(root) })
    expect(
      verifyInclusion({
        leafHash: bytesOfHex(found.leafHash),
        index: logSeq - 1,
        treeSize: size,
        path: inclusion.proof.map(bytesOfHex),
        root
      })
    ).toBe(true)

    const { node: inside } = node.memory
    const page = await inside.query('deliveries', { waitFor: logSeq })
    const { ts, kid } = delivery
    expect(page.rows).toEqual([
      {
        namespace: NAMESPACE,
        deliveryHash: hash,
        from: partner.signer.did,
        kid,
        bytes: expect.any(Number) as unknown,
        ts,
        status: 'held',
        takenAt: node.clock.now(),
        logSeq
      }
    ])
    expect((await inside.query('deliveries', { signer: HOME.signer.did })).rows).toEqual([])
    const [blob] = await node.memory.ports.blobs.getMany([`b!${hash}`])
    expect(sha256Hex(blob ?? new Uint8Array())).toBe(hash)
    expect((await inside.rebuild()).every(({ identical }) => identical)).toBe(true)
  })

  it('of the same payload is another one, and a token serves one only', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const token = await partner.token()
    const first = await partner.deliver(token)
    expect(await partner.deliver(token)).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    const second = await partner.deliver(await partner.token())
    expect(second.status).toBe(201)
    expect(second.receipt?.deliveryHash).not.toBe(first.receipt?.deliveryHash)
    expect(second.receipt?.logSeq).toBe((first.receipt?.logSeq ?? 0) + 1)
  })

  it('can be erased; that it was there stays in the log', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const { receipt } = await partner.deliver(await partner.token())
    const { node: inside, ports } = node.memory
    const deliveryHash = receipt?.deliveryHash ?? ''
    await inside.forget({ receipt: deliveryHash, reason: 'a mistake' })
    expect(await ports.blobs.getMany([`b!${deliveryHash}`])).toEqual([undefined])
    const { rows } = await inside.query('deliveries', { waitFor: (await inside.status()).log.logSeq })
    expect(rows).toMatchObject([{ deliveryHash, status: 'forgotten', logSeq: receipt?.logSeq }])
    expect((await inside.rebuild()).every(({ identical }) => identical)).toBe(true)
    expect(await inside.verifyLog()).toMatchObject({ ok: true })
  })

  it('of a peer needs its key in use and its membership', async () => {
    const node = await startPartnerNode({
      policy: policyOf(HOME, [HOME, PEER], { tenants: { [PEER.orgId]: 'other' } })
    })
    const home = new Partner(node, HOME.signer)
    expect((await home.deliver(await home.token())).status).toBe(201)
    const peer = new Partner(node, PEER.signer)
    expect(await peer.deliver(await peer.token())).toMatchObject({ status: 403, code: 'MAPPING_VIOLATION' })
    const stranger = new Partner(node, member('stranger').signer)
    expect(await stranger.challenge()).toMatchObject({ status: 403, code: 'NODE_UNKNOWN' })
    // Known to the policy, and of no namespace here.
    const apart = await startPartnerNode({
      policy: { ...policyOf(HOME, [HOME]), peers: policyOf(HOME, [HOME, PEER]).peers }
    })
    const outsider = new Partner(apart, PEER.signer)
    expect(await outsider.deliver(await outsider.token())).toMatchObject({ status: 403, code: 'SIGNER_NOT_MEMBER' })
  })

  it('of a partner of another tenant, or to a namespace that is not carried, is refused before anything is used up', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node, 'foreign', { tenant: 'other' })
    const token = await partner.token()
    const body = await partner.deliveryBody(token)
    for (const _again of [1, 2])
      expect(await partner.post('deliver', body)).toMatchObject({ status: 403, code: 'MAPPING_VIOLATION' })
    expect(await partner.deliver(token, { namespace: 'dao:elsewhere' })).toMatchObject({
      status: 403,
      code: 'NAMESPACE_NOT_CARRIED'
    })
    const own = await registeredPartner(node, 'own', { tenant: 'test' })
    expect((await own.deliver(await own.token())).status).toBe(201)
  })
})

describe('what is refused', () => {
  it('a nonce that was used before, by either route, also after a restart; tokens end with the node', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const challenge = await partner.challengeBody()
    const [token, unused] = [(await partner.post('challenge', challenge)).token ?? '', await partner.token()]
    const delivery = await partner.deliveryBody(token)
    expect((await partner.post('deliver', delivery)).status).toBe(201)
    const replayed = { status: 401, code: 'SIGNATURE_INVALID', detail: 'replay' }
    expect(await partner.post('challenge', challenge)).toMatchObject(replayed)
    expect(await partner.post('deliver', delivery)).toMatchObject(replayed)

    const again = await servePartners(await reopen(node.memory))
    const later = new Partner(again, partner.signer)
    expect(await later.post('challenge', challenge)).toMatchObject(replayed)
    expect(await later.post('deliver', delivery)).toMatchObject(replayed)
    expect(await later.deliver(unused)).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    expect((await later.deliver(await later.token())).status).toBe(201)
  })

  it('what was signed outside of the skew, to the millisecond', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const at = async (offsetMs: number): Promise<number> => {
      const answer = await partner.challenge({ ts: node.clock.now() + offsetMs })
      if (answer.status !== 201) expect(answer.code).toBe('TIMESTAMP_SKEW')
      return answer.status
    }
    expect([await at(-SKEW_MS), await at(SKEW_MS), await at(-SKEW_MS - 1), await at(SKEW_MS + 1)]).toEqual([
      201, 201, 401, 401
    ])
    const token = await partner.token()
    expect(await partner.deliver(token, { ts: node.clock.now() - SKEW_MS - 1 })).toMatchObject({
      code: 'TIMESTAMP_SKEW'
    })
    expect((await partner.deliver(token, { ts: node.clock.now() - SKEW_MS })).status).toBe(201)
  })

  it('a token of another, which stays good for its owner, and one that has expired', async () => {
    const node = await startPartnerNode()
    const [owner, thief] = [await registeredPartner(node, 'owner'), await registeredPartner(node, 'thief')]
    const [stolen, late] = [await owner.token(), await owner.token()]
    expect(await thief.deliver(stolen)).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    await node.clock.advance(TOKEN_LIVES_MS - 1)
    expect((await owner.deliver(stolen)).status).toBe(201)
    await node.clock.advance(1)
    expect(await owner.deliver(late)).toMatchObject({ status: 401, code: 'TOKEN_EXPIRED' })
    expect(await owner.deliver(freshNonce().repeat(2).slice(0, 42) + 'A')).toMatchObject({ code: 'TOKEN_INVALID' })
  })

  it('a request for another node, under another key, for another purpose', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const audience = PEER.signer.did
    expect(await partner.challenge({ audience })).toMatchObject({ status: 403, code: 'WRONG_AUDIENCE' })
    const { signer } = partner
    const forged = new Partner(node, { ...signer, sign: (input) => member('thief').signer.sign(input) })
    expect(await forged.challenge()).toMatchObject({ status: 401, code: 'SIGNATURE_INVALID' })
    const value = partner.challengeOf()
    expect(await partner.post('challenge', await partner.sign(value, 'delivery'))).toMatchObject({
      status: 401,
      code: 'SIGNATURE_INVALID'
    })
    expect(await partner.challenge({ kid: 'another' })).toMatchObject({ status: 403, code: 'NODE_UNKNOWN' })
    // Nothing of that used the nonce up.
    expect((await partner.post('challenge', await partner.sign(value, 'challenge'))).status).toBe(201)
  })

  it('bodies that are none, by what is wrong with them first', async () => {
    const { url } = await startPartnerNode()
    const bodies: readonly (readonly [string, string, number, string])[] = [
      ['no JSON', '{', 400, 'MALFORMED'],
      ['nothing', '', 400, 'MALFORMED'],
      ['deep JSON', '['.repeat(8_000) + ']'.repeat(8_000), 400, 'MALFORMED'],
      ['a member twice', '{"signed":{},"signed":{},"signatures":[]}', 400, 'DUPLICATE_KEY'],
      ['another object', '{"token":"x"}', 422, 'SCHEMA_INVALID'],
      ['a prototype', '{"__proto__":{"signed":{}},"signatures":[]}', 422, 'SCHEMA_INVALID']
    ]
    for (const [name, body, status, code] of bodies) {
      for (const route of ['challenge', 'deliver'])
        expect(await problemOf(await postText(`${url}/v1/federation/${route}`, body)), name).toMatchObject({
          status,
          code
        })
    }
  })

  it('a body of more than a MiB, before it is read', async () => {
    const { url } = await startPartnerNode()
    const head = 'POST /v1/federation/deliver HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
    const type = 'Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n'
    const challenge = `${head}${type}`.replace('deliver', 'challenge').replace('1048577', '16385')
    for (const sent of [`${head}${type}`, challenge])
      expect(await rawExchange(url, sent)).toMatch(/^HTTP\/1\.1 413 .*"code":"BODY_TOO_LARGE"/s)
  })

  it('more bodies at once than are taken from one address, until some are through', async () => {
    const { url } = await startPartnerNode()
    const { hostname, port } = new URL(url)
    const head = 'POST /v1/federation/deliver HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const waiting = Array.from({ length: DELIVERIES_UNDER_WAY.ofHolder }, () => {
      const socket = connect(Number(port), hostname)
      socket.write(`${head}Content-Length: 2\r\n\r\n{`)
      return socket
    })
    const isRefused = async (): Promise<boolean> =>
      (await postText(`${url}/v1/federation/deliver`, '{}')).status === 503
    await untilAnswer('all are under way', isRefused)
    for (const socket of waiting) socket.destroy()
    await untilAnswer('they are gone', async () => !(await isRefused()))
  })

  it('another media type, a query, another method', async () => {
    const { url } = await startPartnerNode()
    const post = (path: string, headers: Record<string, string>): Promise<Response> =>
      fetch(`${url}${path}`, { method: 'POST', headers, body: '{}' })
    expect((await post('/v1/federation/deliver', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post('/v1/federation/deliver?x=1', { 'content-type': 'application/json' })).status).toBe(400)
    expect((await fetch(`${url}/v1/federation/deliver`)).status).toBe(404)
  })

  it('a key that was unregistered, at once', async () => {
    const node = await startPartnerNode()
    const partner = await registeredPartner(node)
    const token = await partner.token()
    await node.memory.node.gateway.partners.unregister(partner.signer.did, partner.signer.kid)
    expect(await partner.deliver(token)).toMatchObject({ status: 403, code: 'NODE_UNKNOWN' })
  })

  it('more than the namespace lets one signer do', async () => {
    const policy = policyOf(HOME, [HOME], { rate: { perSigner: 2 } })
    const node = await startPartnerNode({ policy })
    const partner = await registeredPartner(node)
    const statuses = []
    for (let count = 0; count < 3; count += 1) statuses.push((await partner.deliver(await partner.token())).status)
    expect(statuses).toEqual([201, 201, 429])
  })
})

it('two copies of one delivery at the same moment are one delivery', async () => {
  const node = await startPartnerNode()
  const partner = await registeredPartner(node)
  const body = await partner.deliveryBody(await partner.token())
  const answers = await Promise.all(Array.from({ length: 8 }, () => partner.post('deliver', body)))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ detail }) => detail === 'replay')).toHaveLength(7)
})

it('what is taken and what is refused is in the audit log', async () => {
  const node = await startPartnerNode()
  const partner = await registeredPartner(node)
  const body = await partner.deliveryBody(await partner.token())
  await partner.post('deliver', body)
  await partner.post('deliver', body)
  await new Partner(node, member('stranger').signer).challenge()
  await node.memory.node.gateway.partners.unregister(partner.signer.did, partner.signer.kid)
  const { node: inside } = node.memory
  await node.clock.advance(120_000)
  await inside.auditTrail.flushed()
  const records = await Array.fromAsync(inside.audit({}))
  const told = records.map(({ action, actor, subject, outcome, code }) => [action, actor, subject, outcome, code])
  expect(told).toEqual(
    expect.arrayContaining([
      ['NODE_REGISTERED', 'operator', partner.signer.did, 'ok', null],
      ['NODE_REMOVED', 'operator', partner.signer.did, 'ok', null],
      ['DELIVERY_TAKEN', partner.signer.did, NAMESPACE, 'ok', null],
      ['REQUEST_REPLAYED', partner.signer.did, 'deliver', 'refused', 'SIGNATURE_INVALID'],
      ['REQUEST_SIGNATURE_REFUSED', '127.0.0.1', 'challenge', 'refused', 'NODE_UNKNOWN']
    ])
  )
})
