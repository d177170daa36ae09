import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeAdminFile } from '../../src/cli/data-folder/admin-file.ts'
import type { ProjectionQuery } from '../../src/operations.ts'
import { TOKEN, adminListener, nodeWith } from '../http/support/listeners.ts'
import { newFolder, runWell } from '../support/cli.ts'

test('an answer has all that was taken in before the question, unless another moment is asked for', async () => {
  const asked: [string, ProjectionQuery][] = []
  const empty = nodeWith(3)
  const operations = nodeWith(3, {
    query: (projection, query) => {
      asked.push([projection, query])
      return empty.query('batches', query)
    }
  })
  const { listener } = await adminListener({ operations })
  const folder = join(newFolder(), 'node')
  await writeAdminFile(folder, { pid: process.pid, url: listener.url, token: TOKEN })
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
