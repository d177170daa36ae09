import type { PackOperations } from '../packs/pack-operations.ts'
import type { AdminRequest, AdminTransport } from './admin-transport.ts'
import * as packs from './pack-schemas.ts'

/** `PackOperations` of the node behind an admin listener. */
export function createPackClient(transport: AdminTransport): PackOperations {
  const post = (path: string, request: object): AdminRequest => ({
    method: 'POST',
    path,
    body: { type: 'application/json', content: JSON.stringify(request) }
  })
  return {
    signers: () => transport.json(packs.signersReport, { method: 'GET', path: 'keys' }),
    addKey: (request) => transport.json(packs.listedSigner, post('keys', request)),
    rotateKey: (request) => transport.json(packs.rotatedKey, post('keys/rotate', request)),
    retireKey: (request) => transport.json(packs.listedSigner, post('keys/retire', request)),
    revokeKey: (request) => transport.json(packs.listedSigner, post('keys/revoke', request)),
    setKeyThreshold: (request) => transport.json(packs.signersReport, post('keys/threshold', request)),
    publishPack: (request = {}) => transport.json(packs.publishedPack, post('packs', request)),
    draftPack: (request = {}) => transport.json(packs.draftedPack, post('packs/drafts', request)),
    signPack: (draft, query = {}) =>
      transport.json(packs.draftedPack, { ...post('packs/drafts/sign', draft), query: { ...query } }),
    completePack: (draft) => transport.json(packs.publishedPack, post('packs/drafts/publish', draft)),
    packs: (query) => transport.json(packs.packViews, { method: 'GET', path: 'packs', query: { ...query } }),
    viewDraft: (draft) => transport.json(packs.packView, post('packs/drafts/view', draft)),
    trustProof: (query) =>
      transport.json(packs.trustProof, { method: 'GET', path: 'trust/proof', query: { ...query } }),
    pinPack: (pin) => transport.json(packs.pinnedPack, post('trust/pins', pin))
  }
}
