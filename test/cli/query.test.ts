import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeAdminFile } from '../../src/cli/data-folder/admin-file.ts'
import type { Operations, ProjectionQuery } from '../../src/operations.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { TOKEN, adminListener, nodeWith } from '../http/support/listeners.ts'
import { newFolder, runFailing, runWell } from '../support/cli.ts'

/** A folder with a node that serves these operations. */
async function served(operations: Operations): Promise<string> {
  const { listener } = await adminListener({ operations })
  const folder = join(newFolder(), 'node')
  await writeAdminFile(folder, { pid: process.pid, url: listener.url, token: TOKEN })
  return folder
}

test('an answer has all that was taken in before the question, unless another moment is asked for', async () => {
  const asked: [string, ProjectionQuery][] = []
  const empty = nodeWith(3)
  const operations = nodeWith(3, {
    query: (projection, query) => {
      asked.push([projection, query])
      return empty.query('batches', query)
    }
  })
  const folder = await served(operations)
  const { logSeq } = (await operations.status()).log
  for (const [args, position] of [
    [['batches'], { waitFor: logSeq }],
    [['batches', '--at', '2'], { at: 2 }],
    [['batches', '--wait-for', '0'], { waitFor: 0 }],
    [['audit'], {}],
    [['peers'], {}]
  ] as const) {
    asked.length = 0
    await runWell(['query', ...args, '--data', folder])
    expect(asked.map(([name, { at, waitFor }]) => [name, { at, waitFor }])).toEqual([[args[0], position]])
  }
})

test('it waits as long as the folds come nearer, and no longer', async () => {
  let [asked, reached] = [0, 0]
  const node = nodeWith(3)
  const folder = await served(
    nodeWith(3, {
      status: async () => {
        const status = await node.status()
        return { ...status, projections: status.projections.map((one) => ({ ...one, logSeq: reached })) }
      },
      query: (projection, query) => {
        asked += 1
        if (asked < 4) reached += 1
        return asked === 3 ? node.query(projection, query) : Promise.reject(new AnchormeshError('NOT_YET', 'not yet'))
      }
    })
  )
  await runWell(['query', 'batches', '--data', folder])
  expect(asked).toBe(3)
  const stuck = await runFailing(['query', 'batches', '--data', folder])
  expect(stuck.error.code).toBe('NOT_YET')
})
