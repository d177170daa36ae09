import type { Driver } from './actor.ts'

/**
 * Floods with valid batches of its own. Nobody can call it a liar for them: what keeps the others from drowning is the
 * rate that policy lets a signer and a peer send at.
 */
export const flood: Driver = ({ node, namespace, perform }) => {
  let turn = 0
  return {
    act: async () =>
      await perform(async (_, own) => {
        turn += 1
        const batchId = `flood-${node.name}-${turn}`
        await own.seal({ namespace, batchId, receipts: [{ turn }] })
        await own.announce({ namespace, batchId, timestampAnchors: [] })
      })
  }
}
