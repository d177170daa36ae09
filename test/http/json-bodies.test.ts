import { expect, test } from 'vitest'
import type { NodeRegister } from '../../src/partners/partner-registry.ts'
import { adminListener, ask, problemOf } from './support/listeners.ts'

const nodes: NodeRegister = {
  register: () => Promise.reject(new Error('nothing that is refused comes as far as this')),
  unregister: async () => false,
  registered: () => []
}
const JSON_TYPE = 'application/json'

test.each([
  'anchors',
  'anchors/proofs',
  'anchors/split',
  'backup',
  'batches/announcements',
  'keys',
  'keys/revoke',
  'log/checkpoint/check',
  'nodes',
  'packs/drafts',
  'receipts/forget',
  'receipts/proof',
  'tokens',
  'trust/pins'
])('POST %s refuses in the same words what is no JSON for it', async (path) => {
  const { url } = await adminListener({ nodes })
  const refused = async (type: string, body: string): Promise<unknown[]> => {
    const answer = await ask(url(path), { method: 'POST', headers: { 'content-type': type }, body })
    const { status, code } = await problemOf(answer)
    return [type, body, status, code]
  }
  const malformed = ['', '{', 'undefined', '{"__proto__":1}', '{"x":{"constructor":{"prototype":1}}}']
  for (const body of malformed) expect(await refused(JSON_TYPE, body)).toEqual([JSON_TYPE, body, 400, 'BODY_MALFORMED'])
  for (const body of ['[]', '1', '{"unknown":1}', '{"unknown":1,"unknown":2}'])
    expect(await refused(JSON_TYPE, body)).toEqual([JSON_TYPE, body, 422, 'BODY_INVALID'])
  expect(await refused('text/plain', '{}')).toEqual(['text/plain', '{}', 415, 'MEDIA_TYPE_UNSUPPORTED'])
})
