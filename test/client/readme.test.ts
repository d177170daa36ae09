import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../support/folders.ts'
import { until } from '../support/until.ts'
import { servingNode } from './serving.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CLIENT = pathToFileURL(join(ROOT, 'src', 'client', 'index.ts')).href
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const [, example = ''] = /^```js client\n([^]*?)^```$/m.exec(README) ?? []

test('the app in the README runs as it stands, and goes on where it was', async () => {
  const serving = await servingNode(4)
  await serving.take(serving.events.slice(0, 2))
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'watch.mjs'), example.replaceAll("'anchormesh/client'", JSON.stringify(CLIENT)))
  const watch = () => {
    const child = spawn(process.execPath, ['watch.mjs', serving.url], { cwd: folder })
    const ended = once(child, 'close')
    onTestFinished(() => void child.kill('SIGKILL'))
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    // It writes into the folder until it is gone.
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL')
      await ended
    }
    return { kill, said: () => said }
  }
  const first = watch()
  await until('two batches are shown', () => first.said().includes('batch-0') && first.said().includes('batch-1'))
  expect(first.said()).toMatch(/^ok\n/)
  expect(first.said()).toMatch(/batch-1 \d+ signed\n/)
  await serving.take(serving.events.slice(2, 3))
  await until('a change is shown', () => first.said().includes('batch-2 '))
  await first.kill()
  await serving.take(serving.events.slice(3))
  const second = watch()
  await until('what came meanwhile is shown', () => second.said().includes('batch-3 '))
  expect(second.said()).not.toContain('batch-0 ')
  await second.kill()
})
