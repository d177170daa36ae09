import type { PackOperations } from '../packs/pack-operations.ts'
import { registerForJson } from './body-forms.ts'
import type { App } from './listener.ts'
import * as packs from './pack-schemas.ts'
import { noQuery } from './schemas.ts'

/** The routes of keys, packs and trust below `/v1/admin`. */
export function registerPackRoutes(app: App, operations: PackOperations): void {
  app.get('/v1/admin/keys', {
    schema: { querystring: noQuery, response: { 200: packs.signersReport } },
    handler: async () => await operations.signers()
  })
  app.get('/v1/admin/packs', {
    schema: { querystring: packs.packQuery, response: { 200: packs.packViews } },
    handler: async ({ query }) => [...(await operations.packs(query))]
  })
  app.get('/v1/admin/trust/proof', {
    schema: { querystring: packs.trustProofQuery, response: { 200: packs.trustProof } },
    handler: async ({ query }) => await operations.trustProof(query)
  })
  registerForJson(app, (scope) => {
    registerKeyChanges(scope, operations)
    registerPackChanges(scope, operations)
  })
}

function registerKeyChanges(scope: App, operations: PackOperations): void {
  scope.post('/v1/admin/keys', {
    schema: { querystring: noQuery, body: packs.addKeyRequest, response: { 201: packs.listedSigner } },
    handler: async ({ body }, reply) => await reply.code(201).send(await operations.addKey(body))
  })
  scope.post('/v1/admin/keys/rotate', {
    schema: { querystring: noQuery, body: packs.rotateKeyRequest, response: { 201: packs.rotatedKey } },
    handler: async ({ body }, reply) => await reply.code(201).send(await operations.rotateKey(body))
  })
  scope.post('/v1/admin/keys/retire', {
    schema: { querystring: noQuery, body: packs.retireKeyRequest, response: { 200: packs.listedSigner } },
    handler: async ({ body }) => await operations.retireKey(body)
  })
  scope.post('/v1/admin/keys/revoke', {
    schema: { querystring: noQuery, body: packs.revokeKeyRequest, response: { 200: packs.listedSigner } },
    handler: async ({ body }) => await operations.revokeKey(body)
  })
  scope.post('/v1/admin/keys/threshold', {
    schema: { querystring: noQuery, body: packs.thresholdRequest, response: { 200: packs.signersReport } },
    handler: async ({ body }) => await operations.setKeyThreshold(body)
  })
}

function registerPackChanges(scope: App, operations: PackOperations): void {
  scope.post('/v1/admin/packs', {
    // Without a body: the next pack, as everything stands.
    schema: { querystring: noQuery, body: packs.publishPackRequest.nullish(), response: { 201: packs.publishedPack } },
    handler: async ({ body }, reply) => await reply.code(201).send(await operations.publishPack(body ?? {}))
  })
  scope.post('/v1/admin/packs/drafts', {
    schema: { querystring: noQuery, body: packs.publishPackRequest, response: { 201: packs.draftedPack } },
    handler: async ({ body }, reply) => await reply.code(201).send(await operations.draftPack(body))
  })
  scope.post('/v1/admin/packs/drafts/view', {
    schema: { querystring: noQuery, body: packs.packDraft, response: { 200: packs.packView } },
    handler: async ({ body }) => await operations.viewDraft(body)
  })
  scope.post('/v1/admin/packs/drafts/sign', {
    schema: { querystring: packs.signPackQuery, body: packs.packDraft, response: { 200: packs.draftedPack } },
    handler: async ({ body, query }) => await operations.signPack(body, query)
  })
  scope.post('/v1/admin/packs/drafts/publish', {
    schema: { querystring: noQuery, body: packs.packDraft, response: { 201: packs.publishedPack } },
    handler: async ({ body }, reply) => await reply.code(201).send(await operations.completePack(body))
  })
  scope.post('/v1/admin/trust/pins', {
    schema: { querystring: noQuery, body: packs.packPin, response: { 200: packs.pinnedPack } },
    handler: async ({ body }) => await operations.pinPack(body)
  })
}
