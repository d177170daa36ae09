import { expect, it } from 'vitest'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { fingerprintOf } from '../../protocols/telemetry/v1/telemetry.ts'
import { PROJECTION_NAMES } from '../../src/api/rows.ts'
import { bearer, tokenFor } from '../access/world.ts'
import { quiet } from '../node/nodes.ts'
import { freshNonce, postText, registeredPartner } from './support/partners.ts'
import type { Partner } from './support/partners.ts'
import { startWholeGateway } from './support/whole-gateway.ts'
import type { WholeGateway } from './support/whole-gateway.ts'

const MEASUREMENT = sha256Hex('measured')

/** All that can be done for one tenant: sealed, announced, delivered, reported and judged; each name holds `word`. */
async function live(gateway: WholeGateway, tenant: string, namespace: string, word: string): Promise<Lived> {
  const { node, url } = gateway
  const receipts = [{ [`${word}Receipt`]: 1 }, { [`${word}Receipt`]: 2 }]
  const { batchRoot } = await node.seal({ namespace, batchId: `${word}-batch`, receipts })
  const { id } = await node.announce({ namespace, batchId: `${word}-batch`, timestampAnchors: [] })
  const leaves: string[] = []
  for await (const { leafHash } of node.proofs(namespace, `${word}-batch`)) leaves.push(leafHash)
  const partner = await registeredPartner(gateway, `${word}-partner`, { tenant })
  const delivered = await partner.deliver(await partner.token(), { namespace, payload: { [word]: 1 } })
  expect(delivered.status).toBe(201)
  const telemetry = {
    ...about(gateway, partner, tenant),
    timestamp: gateway.clock.now(),
    payload: {
      execution: { id: `${word}-run` },
      attestationMeasurementHash: MEASUREMENT,
      findings: [{ findingId: `${word}-finding`, kind: `${word}-kind`, severity: 'low' as const, score: 1 }]
    }
  }
  const reported = await postText(`${url}/v1/tenants/${tenant}/telemetry`, await partner.sign(telemetry, 'telemetry'))
  expect(reported.status).toBe(201)
  const feedback = {
    ...about(gateway, partner, tenant),
    signedAt: gateway.clock.now(),
    schema: 'anchormesh.feedback/1',
    data: {
      findingId: `${word}-finding`,
      fingerprint: fingerprintOf(telemetry),
      attestationMeasurementHash: MEASUREMENT,
      action: 'confirm',
      rule: `${word}-rule`
    }
  }
  const judged = await postText(`${url}/v1/tenants/${tenant}/feedback`, await partner.sign(feedback, 'feedback'))
  expect(judged.status).toBe(201)
  return {
    tenant,
    namespace,
    word,
    batchRoot,
    id,
    leaves,
    partner,
    deliveryHash: delivered.receipt?.deliveryHash ?? ''
  }
}

interface Lived {
  readonly tenant: string
  readonly namespace: string
  readonly word: string
  readonly batchRoot: string
  readonly id: string
  readonly leaves: readonly string[]
  readonly partner: Partner
  readonly deliveryHash: string
}

function about({ self }: WholeGateway, { signer }: Partner, tenant: string) {
  return { v: 1, audience: self.signer.did, signer: signer.did, kid: signer.kid, tenant, nonce: freshNonce() } as const
}

interface Seen {
  readonly status: number
  readonly text: string
  readonly etag: string | null
}

it('with a token of one tenant nothing of another is there, by whatever route', async () => {
  const gateway = await startWholeGateway()
  const { url, node, memory } = gateway
  const mine = await live(gateway, 'alpha', 'a:one', 'mine')
  const theirs = await live(gateway, 'beta', 'b:one', 'theirs')
  await quiet(memory)
  const { log } = await node.status()
  const get = async (path: string, headers: Readonly<Record<string, string>>): Promise<Seen> => {
    const answer = await fetch(url + path, { headers })
    return { status: answer.status, text: await answer.text(), etag: answer.headers.get('etag') }
  }
  const leaks: string[] = []
  for (const wish of [
    { namespaces: [], tenant: 'alpha' },
    { namespaces: ['a:one'] },
    { namespaces: ['a:one'], tenant: 'alpha' }
  ]) {
    const headers = bearer(await tokenFor(node, wish.namespaces, wish))
    const proof = (leaf: string, { namespace, word }: Lived): string =>
      `/v1/receipts/${leaf}/proof?namespace=${namespace}&batchId=${word}-batch`
    const paths = [
      '/v1/events?limit=500',
      `/v1/events/${theirs.id}`,
      proof(theirs.leaves[0] ?? '', mine),
      proof(theirs.leaves[0] ?? '', { ...mine, word: 'theirs' }),
      '/v1/projections/receipts?include=record,proof,evidence&limit=16',
      ...PROJECTION_NAMES.flatMap((name) => [
        `/v1/projections/${name}`,
        `/v1/projections/${name}?at=${log.logSeq}`,
        `/v1/projections/${name}?namespace=_trust`,
        `/v1/projections/${name}?batchId=theirs-batch`,
        `/v1/projections/${name}?signer=${theirs.partner.signer.did}`
      ]),
      '/v1/digest?namespace=a:one',
      '/v1/digest?namespace=_trust',
      '/v1/tenants/alpha/findings',
      '/v1/tenants/alpha/findings/theirs-finding',
      '/v1/tenants/alpha/feedback?findingId=theirs-finding',
      '/health',
      '/readyz',
      '/metrics'
    ]
    const marks = [
      'theirs',
      'b:one',
      'b:two',
      'beta',
      theirs.batchRoot,
      theirs.deliveryHash,
      ...theirs.leaves,
      theirs.partner.signer.did
    ]
    for (const path of paths) {
      const { status, text } = await get(path, headers)
      // What the reader itself named may be said again.
      const told = text.replaceAll('theirs-finding', '').replaceAll(theirs.id, '').replaceAll('theirs-batch', '')
      const shown = told.replaceAll(theirs.leaves[0] ?? '', '')
      for (const mark of marks) if (shown.includes(mark)) leaks.push(`${path}: ${mark}`)
      if (status >= 500) leaks.push(`${path}: ${status}`)
    }
    // What is another's is refused in the same words as what nobody has.
    const pairs = [
      [`/v1/events/${theirs.id}`, `/v1/events/${'0'.repeat(64)}`],
      ['/v1/tenants/beta/findings', '/v1/tenants/nobody/findings'],
      ['/v1/tenants/beta/findings/theirs-finding', '/v1/tenants/nobody/findings/theirs-finding'],
      ['/v1/tenants/beta/feedback', '/v1/tenants/nobody/feedback'],
      ['/v1/digest?namespace=b:one', '/v1/digest?namespace=no:one'],
      ['/v1/events?namespace=b:one', '/v1/events?namespace=no:one'],
      [proof(theirs.leaves[0] ?? '', theirs), proof(theirs.leaves[0] ?? '', { ...theirs, namespace: 'no:one' })],
      [proof(theirs.leaves[0] ?? '', mine), proof('0'.repeat(64), mine)],
      ['/v1/subscribe?projection=batches&namespace=b:one', '/v1/subscribe?projection=batches&namespace=no:one'],
      ...PROJECTION_NAMES.map(
        (name) => [`/v1/projections/${name}?namespace=b:one`, `/v1/projections/${name}?namespace=no:one`] as const
      )
    ] as const
    for (const [there, nowhere] of pairs) {
      const said = [await get(there, headers), await get(nowhere, headers)].map(({ status, text }) => {
        const { requestId: _id, ...problem } = JSON.parse(text) as JsonObject
        const plain = JSON.stringify(problem).replaceAll(/b:one|no:one|beta|nobody|[0-9a-f]{64}/g, 'X')
        return [status, plain]
      })
      if (JSON.stringify(said[0]) !== JSON.stringify(said[1])) leaks.push(`${there}: ${JSON.stringify(said)}`)
      if (![400, 403, 404].includes(Number(said[0]?.[0]))) leaks.push(`${there}: ${said[0]?.[0]}`)
    }
  }
  expect(leaks).toEqual([])
  // Or the test looks for what is nowhere.
  const shown = await Promise.all(PROJECTION_NAMES.map((name) => get(`/v1/projections/${name}`, {})))
  expect(shown.filter(({ text }) => text.includes('theirs') || text.includes('b:one')).length).toBeGreaterThan(5)
})
