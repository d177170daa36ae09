import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readTargetsFile } from '../../src/drill/targets-file.ts'
import { messageOf } from '../../src/platform/errors.ts'
import { codeOf } from '../support/code-of.ts'
import { newFolder } from '../support/cli.ts'
import { entryOf, checkOf, matrixWorld, reasonsOf, runMatrixOf } from './matrix-support.ts'
import { serveTestNode } from './support.ts'

/** All that stands in any file below a folder. */
function textsBelow(folder: string): readonly { readonly name: string; readonly text: string }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const name = join(entry.parentPath, entry.name)
      return { name, text: readFileSync(name, 'utf8') }
    })
}

test('one target that fails, in whatever way, keeps no other from being tried', async () => {
  const [first, second] = [await serveTestNode('staging'), await serveTestNode('preprod')]
  const world = matrixWorld(first, second)
  const withoutToken = { STAGING_TOKEN: first.adminToken }
  const { matrix, folder, unreachable } = await runMatrixOf(world, {
    environment: withoutToken,
    required: ['preprod', 'nowhere', 'staging']
  })
  expect(unreachable).toBe(false)
  expect(matrix).toMatchObject({
    passed: false,
    targets: [
      { target: 'preprod', passed: false, drill_id: null, reason: expect.stringContaining('PREPROD_TOKEN') as string },
      { target: 'nowhere', passed: false, reason: expect.stringContaining('no target nowhere') as string },
      { target: 'staging', passed: true, reason: null }
    ]
  })
  expect(readdirSync(folder).toSorted()).toEqual(['matrix.json', 'staging', 'summary.md'])
  expect(readdirSync(join(folder, 'staging')).toSorted()).toEqual(['report.json', 'summary.md'])
  const verdict = await checkOf(world, folder)
  expect(reasonsOf(verdict)).toEqual(['preprod EVIDENCE_MISSING report.json'])
  expect(reasonsOf(await checkOf(world, folder, { required: ['staging'] }))).toEqual([])

  // The token of the other node is refused by this one; a target that is away is undecided.
  const swapped = await runMatrixOf(world, { environment: { ...withoutToken, PREPROD_TOKEN: first.adminToken } })
  expect(swapped.matrix.targets[1]?.reason).toContain('admin-status: 401 ADMIN_TOKEN_INVALID')
  const away = matrixWorld(first, second, { preprod: { base_url: 'http://127.0.0.1:1' } })
  const undecided = await runMatrixOf(away)
  expect(undecided).toMatchObject({ unreachable: true, matrix: { passed: false } })

  for (const { name, text } of textsBelow(join(world.folder, 'out')))
    for (const token of [first.adminToken, second.adminToken]) expect(text.includes(token), name).toBe(false)
})

test('a file of targets holds no tokens, and nothing else that is not of its form', async () => {
  const node = await serveTestNode('staging')
  const folder = newFolder()
  const path = join(folder, 'targets.json')
  const entry = entryOf(node, 'STAGING_TOKEN')
  const refused = async (text: string): Promise<string> => {
    writeFileSync(path, text)
    const error: unknown = await readTargetsFile(path).then(
      () => null,
      (thrown: unknown) => thrown
    )
    expect(codeOf(error)).toBe('CONFIG_INVALID')
    const message = messageOf(error)
    expect(message).not.toContain('SECRET')
    return message
  }
  const withEntry = (changes: object, name = 'staging'): string =>
    JSON.stringify({ v: 1, targets: { [name]: { ...entry, ...changes } } })
  expect(await refused(withEntry({ admin_token: 'SECRET-1234' }))).toContain('staging: holds a token')
  expect(await refused(withEntry({ admin_token_env: 'SECRET-1234' }))).toContain('no name of an environment variable')
  expect(await refused(withEntry({ base_url: 'https://user:SECRET@node.example' }))).toContain(
    'holds a user or password'
  )
  expect(await refused(withEntry({ base_url: 'https://node.example/?token=SECRET' }))).toContain('query')
  expect(await refused(withEntry({ base_url: 'http://node.example' }))).toContain('in clear')
  expect(await refused(withEntry({ admin_url: 'ftp://node.example' }))).toContain('no http: or https:')
  expect(await refused(withEntry({ did: undefined, keys: [] }))).toContain('no did')
  expect(await refused(withEntry({ keys: [{ kid: 'k-1', public_key: 'AAAA' }] }))).toContain('no Ed25519 public key')
  expect(await refused(withEntry({ tls: { cert: 'a.pem' } }))).toContain('go together')
  expect(await refused(withEntry({}, '../staging'))).toContain('no name of a target')
  expect(await refused('{"v":1,"targets":{},"targets":{}}')).toContain('DUPLICATE_KEY')
  expect(await refused('targets:')).toContain('no JSON')
  expect(await refused(JSON.stringify({ v: 2, targets: {} }))).toContain('v:')

  // One that stands somewhere where it is not looked for.
  const world = matrixWorld(node, node, { staging: { remote_node_id: node.adminToken } })
  const run = await runMatrixOf(world, { required: ['staging'] })
  expect(run.matrix.targets[0]?.reason).toContain('holds the token itself')
  expect(JSON.stringify(run)).not.toContain(node.adminToken)
})

test('the example of a file of targets is one', async () => {
  const path = join(import.meta.dirname, '..', '..', 'config', 'interop-targets.example.json')
  expect([...(await readTargetsFile(path)).targets.keys()]).toEqual(['staging', 'preprod'])
})
