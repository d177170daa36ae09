import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type { PackOperations } from '../../../src/packs/pack-operations.ts'

/** A stand-in for a node without keys and packs. */
export function noPacks(): PackOperations {
  const none = (): Promise<never> => Promise.reject(new Error('this node has no packs'))
  const published = { id: sha256Hex('published'), logSeq: 7, recipients: 2 }
  return {
    signers: none,
    addKey: none,
    rotateKey: none,
    retireKey: none,
    revokeKey: none,
    setKeyThreshold: none,
    publishPack: () => Promise.resolve({ ...published, orgId: 'org', packSeq: 1, packHash: published.id }),
    draftPack: none,
    signPack: none,
    completePack: none,
    packs: none,
    viewDraft: none,
    trustProof: none,
    pinPack: none
  }
}
