import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { newFolder, runJsonLines } from '../support/cli.ts'
import { NAMESPACE, init, readAdmin, startNode } from '../support/nodes.ts'

const README = readFileSync(resolve(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
const PASTE =
  [...README.matchAll(/^```mjs\n([^]*?)^```$/gm)].find(([, text]) => text?.includes('/v1/federation/'))?.[1] ?? ''

test('the program of the README delivers to a node that the command line started', async () => {
  const folder = newFolder()
  const data = join(folder, 'node')
  await init(data, 'maker')
  const node = await startNode(data)
  writeFileSync(join(folder, 'deliver.mjs'), PASTE)
  const deliver = async (...more: readonly string[]): Promise<Readonly<Record<string, unknown>>> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['deliver.mjs', ...more], { cwd: folder })
    return JSON.parse(stdout) as Readonly<Record<string, unknown>>
  }
  const { url, token } = readAdmin(data)
  const registered = await fetch(`${url}/v1/admin/nodes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(await deliver())
  })
  expect(registered.status).toBe(201)
  const { receipt } = await deliver(node.ready.http, NAMESPACE, '{"report":["€",1.5],"10":null}')
  const { deliveryHash, logSeq } = receipt as Readonly<Record<string, unknown>>
  const rows = await runJsonLines(['query', 'deliveries', '--namespace', NAMESPACE, '--data', data])
  expect(rows).toMatchObject([{ deliveryHash, logSeq, from: 'did:web:partner.example', status: 'held' }])
})
