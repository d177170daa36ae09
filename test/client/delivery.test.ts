import type { webcrypto } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { SignedReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { signReceipt } from '../../protocols/delivery/v1/receipt.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { didKeyOf, kidOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import { createClient } from '../../src/client/index.ts'
import type { AppSigner, Client, ClientOptions, Delivered, Fetch } from '../../src/client/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { HOME, registeredPartner, startPartnerNode } from '../http/support/partners.ts'
import type { PartnerNode } from '../http/support/partners.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { failureOf } from './support.ts'

const PARTNER = member('partner').signer

function clientOf(node: PartnerNode, options: Partial<ClientOptions> = {}): Client {
  return createClient({ url: node.url, clock: { ...systemClock, now: () => node.clock.now() }, ...options })
}

async function deliver(
  client: Client,
  signer: AppSigner = PARTNER,
  payload: JsonObject = { n: 1 }
): Promise<Delivered> {
  return await client.deliver({ namespace: NAMESPACE, payload, signer })
}

/** What the node answers, after somebody on the way has changed it. */
const changing =
  (path: RegExp, change: (text: string) => string | Promise<string>): Fetch =>
  async (url, init) => {
    const response = await fetch(url, init)
    if (!path.test(url)) return response
    return new Response(await change(await response.text()), response)
  }

const onReceipt = (change: (receipt: SignedReceipt) => object | Promise<object>): Fetch =>
  changing(/deliver$/, async (text) => {
    const { receipt } = JSON.parse(text) as { receipt: SignedReceipt }
    return JSON.stringify({ receipt: await change(receipt) })
  })

describe('a delivery', () => {
  test('comes back with a receipt that holds, under the key that the node shows or one that the app knows', async () => {
    const node = await startPartnerNode()
    await registeredPartner(node)
    const shown = await deliver(clientOf(node))
    expect(shown).toMatchObject({ keyKnownBy: 'node', receipt: { signer: HOME.signer.did, audience: PARTNER.did } })
    const { signed } = JSON.parse(shown.body) as { signed: JsonObject }
    expect(signed).toMatchObject({ namespace: NAMESPACE, payload: { n: 1 } })
    const asked: string[] = []
    const listening: Fetch = async (url, init) => {
      asked.push(new URL(url).pathname)
      return await fetch(url, init)
    }
    const pinned = clientOf(node, { fetch: listening, verify: { trust: { logOf: HOME.signer.did } } })
    const known = await deliver(pinned)
    expect(known.keyKnownBy).toBe('app')
    expect(asked).not.toContain('/v1/federation/node')
    expect(known.deliveryHash).not.toBe(shown.deliveryHash)
    const { logSeq: waitFor } = known.receipt
    const { rows } = await clientOf(node).query('deliveries', { waitFor })
    expect(rows.map(({ deliveryHash }) => deliveryHash).toSorted()).toEqual(
      [shown.deliveryHash, known.deliveryHash].toSorted()
    )
  })

  test('is signed by whatever the app has, such as Web Crypto', async () => {
    const node = await startPartnerNode()
    const pair = (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
    const did = didKeyOf(publicKey)
    const kid = kidOfDidKey(did) ?? ''
    const signer: AppSigner = { did, kid, sign: (bytes) => crypto.subtle.sign('Ed25519', pair.privateKey, bytes) }
    expect(await failureOf(deliver(clientOf(node), signer))).toMatchObject({ code: 'NODE_UNKNOWN', status: 403 })
    await node.register({ ...PARTNER, did, kid, publicKey })
    expect((await deliver(clientOf(node), signer)).receipt.audience).toBe(did)
    expect((await clientOf(node).challenge(signer)).token).toMatch(/^[\w-]{43}$/)
  })

  test('that can not be made, or signed, says so', async () => {
    const node = await startPartnerNode()
    await registeredPartner(node)
    const client = clientOf(node)
    for (const payload of [{ n: NaN }, { text: '\uD800' }, { text: 'x'.repeat(1_048_576) }] as const)
      expect(await failureOf(deliver(client, PARTNER, payload))).toMatchObject({ code: 'DELIVERY_INVALID' })
    const locked = new Error('the key is locked')
    const failing: AppSigner = { ...signerOf(), sign: () => Promise.reject(locked) }
    expect(await failureOf(deliver(client, failing))).toBe(locked)
    const other: AppSigner = { ...signerOf(), sign: (bytes) => member('other').signer.sign(bytes) }
    expect(await failureOf(deliver(client, other))).toMatchObject({ code: 'SIGNATURE_INVALID', status: 401 })
    const short: AppSigner = { ...signerOf(), sign: () => new Uint8Array(3) }
    expect(await failureOf(deliver(client, short))).toMatchObject({ code: 'SIGNATURE_INVALID' })
    const stopped = AbortSignal.abort(new Error('enough'))
    expect(
      await failureOf(client.deliver({ namespace: NAMESPACE, payload: {}, signer: PARTNER }, { signal: stopped }))
    ).toBe(stopped.reason)
  })
})

function signerOf(): AppSigner {
  return { did: PARTNER.did, kid: PARTNER.kid, sign: (bytes) => PARTNER.sign(bytes) }
}

/** The text with one bit of its first byte changed, as base64url. */
function flipped(text: string): string {
  const bytes = new Uint8Array(fromBase64url(text) ?? new Uint8Array())
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return toBase64url(bytes)
}

describe('a receipt', () => {
  test('that somebody has changed is none', async () => {
    const node = await startPartnerNode()
    await registeredPartner(node)
    const before = await deliver(clientOf(node))
    const mallory = member('mallory').signer
    const changes: readonly [string, (receipt: SignedReceipt) => object | Promise<object>, string?][] = [
      ['the signature', (receipt) => ({ ...receipt, signature: flipped(receipt.signature) })],
      ['the hash', (receipt) => ({ ...receipt, deliveryHash: sha256Hex('other') })],
      ['the sender', (receipt) => ({ ...receipt, audience: HOME.signer.did })],
      ['the position', (receipt) => ({ ...receipt, logSeq: receipt.logSeq - 1 })],
      ['the record', ({ record, ...receipt }) => ({ ...receipt, record: { ...record, recordedAt: 1 } })],
      ['the checkpoint', (receipt) => ({ ...receipt, checkpoint: before.receipt.checkpoint })],
      ['that of an earlier delivery', () => before.receipt],
      ['a member more', (receipt) => ({ ...receipt, more: 1 })],
      ['none', () => ({})],
      [
        'another signer',
        async ({ protected: _header, signature: _signature, ...receipt }) =>
          await signReceipt({ ...receipt, kid: mallory.kid }, (input) => mallory.sign(input)),
        'KEY_UNKNOWN'
      ]
    ]
    for (const [what, change, reason = 'RECEIPT_INVALID'] of changes)
      for (const verify of [undefined, { trust: {} }]) {
        const lied = { fetch: onReceipt(change), ...(verify === undefined ? {} : { verify }) }
        expect(await failureOf(deliver(clientOf(node, lied))), what).toMatchObject({
          code: 'VERIFICATION_FAILED',
          reason,
          isRetryable: false
        })
      }
    const noJson = clientOf(node, { fetch: changing(/deliver$/, () => '{') })
    expect(await failureOf(deliver(noJson))).toMatchObject({ code: 'VERIFICATION_FAILED' })
  })

  test('whose delivery the log does not hold, or only a log of its own, is none', async () => {
    const [node, twin] = [await startPartnerNode(), await startPartnerNode()]
    await registeredPartner(node)
    await registeredPartner(twin)
    const noProof = changing(/inclusion/, (text) => JSON.stringify({ ...(JSON.parse(text) as object), proof: [] }))
    await deliver(clientOf(node))
    expect(await failureOf(deliver(clientOf(node, { fetch: noProof })))).toMatchObject({ reason: 'NOT_IN_LOG' })

    // The same node by its key, which shows those who deliver another log than everybody else.
    const split: Fetch = async (url, init) => {
      const asked = new URL(url)
      const isPublic = /log\/(?:checkpoint|consistency)/.test(asked.pathname)
      return await fetch(isPublic ? url : `${twin.url}${asked.pathname}${asked.search}`, init)
    }
    await deliver(clientOf(node, { fetch: split }))
    const checking = clientOf(node, { fetch: split, verify: { trust: {} } })
    const { reason } = await failureOf(deliver(checking))
    expect(['LOG_FORKED', 'LOG_REWRITTEN', 'LOG_ROLLED_BACK', 'EPOCH_CHANGED']).toContain(reason)
  })

  test('of another node than the app means is never asked for', async () => {
    const node = await startPartnerNode()
    await registeredPartner(node)
    const elsewhere = clientOf(node, { verify: { trust: { logOf: member('elsewhere').signer.did } } })
    expect(await failureOf(deliver(elsewhere))).toMatchObject({ code: 'WRONG_AUDIENCE', status: 403 })
    // Somebody on the way who says that the node is himself: the requests are signed for him, and good nowhere else.
    const mallory = member('mallory').signer
    const posing = changing(/federation\/node/, (text) => text.replaceAll(HOME.signer.did, mallory.did))
    expect(await failureOf(deliver(clientOf(node, { fetch: posing })))).toMatchObject({ code: 'WRONG_AUDIENCE' })
  })
})
