import { describe, expect, test } from 'vitest'
import * as anchormesh from '../../src/index.ts'
import type { Anchor, AnchorPack, SyncPlan, SyncResult, SyncState } from '../../src/index.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { newFolder } from '../support/cli.ts'
import { ALLOW_ALL, ORG, organisation, packChain } from '../pack-sync/support.ts'

describe('the package', () => {
  test('has functions for packs and trust by these names', () => {
    const functions = [
      anchormesh.publishAnchorPack,
      anchormesh.signAnchorPack,
      anchormesh.pushAnchorPack,
      anchormesh.planAnchorSync,
      anchormesh.runAnchorSync,
      anchormesh.getAnchors,
      anchormesh.setAnchors,
      anchormesh.getSyncState,
      anchormesh.setSyncState,
      anchormesh.listSigners,
      anchormesh.listTrustAnchors,
      anchormesh.checkCrossOrgPolicy
    ]
    expect(functions.map((one) => one.name)).toEqual([
      'publishAnchorPack',
      'signAnchorPack',
      'pushAnchorPack',
      'planAnchorSync',
      'runAnchorSync',
      'getAnchors',
      'setAnchors',
      'getSyncState',
      'setSyncState',
      'listSigners',
      'listTrustAnchors',
      'checkCrossOrgPolicy'
    ])
  })

  test('has packs go by a file, and keeps their anchors, without a node', async () => {
    const { fileTransport, memoryAnchorStore, planAnchorSync, pushAnchorPack, runAnchorSync } = anchormesh
    const clock = createHandClock()
    const chain = await packChain(3)
    const transport = fileTransport(`${newFolder()}/packs.jsonl`, clock)
    const shelf = anchormesh.shelfOfEvents(chain.wires)
    const pushed = await pushAnchorPack({ orgId: ORG, from: ORG, to: null, transport, shelf, policy: ALLOW_ALL })
    expect(pushed).toMatchObject({ outcome: 'done', headPackSeq: 3 })
    const store = memoryAnchorStore()
    const options: anchormesh.AnchorSyncOptions = {
      store,
      orgId: 'org-self',
      policy: ALLOW_ALL,
      organisations: [organisation({ sources: [transport.name] })],
      transport: () => transport,
      clock
    }
    const plan: SyncPlan = await planAnchorSync(options)
    const results: readonly SyncResult[] = await runAnchorSync(plan, options)
    expect(results).toMatchObject([{ outcome: 'done', applied: 3 }])
    const name = { namespace: '_trust', orgId: ORG }
    const state: SyncState = await anchormesh.getSyncState(store, name)
    expect(state).toMatchObject({ lastPackSeq: 3, resume: null })
    const known = await anchormesh.getAnchors(store, name)
    const kids = known?.anchors.map(({ kid }: Anchor) => kid)
    const last: AnchorPack | undefined = chain.packs.at(-1)
    expect(kids).toEqual(last?.keys.map(({ kid }) => kid))
  })
})
