import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFolder } from '../support/cli.ts'
import { init, startNode } from '../support/nodes.ts'

const ROOT = join(import.meta.dirname, '..', '..')

interface Started {
  readonly did: string
  readonly http: string
  readonly admin: string
  readonly token: string
}

async function startTarget(name: string): Promise<Started> {
  const folder = join(newFolder(), name)
  await init(folder, name)
  const { ready } = await startNode(folder)
  const { token } = JSON.parse(readFileSync(join(folder, 'run', 'admin.json'), 'utf8')) as { token: string }
  return { ...ready, token }
}

interface Npm {
  readonly code: number | null
  readonly output: string
}

/** A script of package.json, from the folder in which its evidence is to be. */
async function npm(
  folder: string,
  script: string,
  args: readonly string[],
  more: Record<string, string> = {}
): Promise<Npm> {
  const command = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
    .scripts[script]
  const [program = '', main = '', ...rest] = command?.split(' ') ?? []
  expect([program, main]).toEqual(['node', 'src/cli/main.ts'])
  const child = spawn(process.execPath, [join(ROOT, main), ...rest, ...args], {
    cwd: folder,
    env: { ...process.env, ...more }
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return await new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

test('the npm scripts run a drill and a matrix against two nodes, and check what they left', async () => {
  const [staging, preprod] = await Promise.all([startTarget('staging'), startTarget('preprod')])
  const folder = newFolder()
  const said: string[] = []
  const script = async (
    ...args: [name: string, args: readonly string[], more?: Record<string, string>]
  ): Promise<Npm> => {
    const ended = await npm(folder, ...args)
    said.push(ended.output)
    return ended
  }
  const at = ['--base-url', staging.http, '--admin-url', staging.admin]
  const one = await script('drill:federation-interop', [
    ...at,
    '--admin-token',
    staging.token,
    '--remote-node-id',
    'partner'
  ])
  expect(one.code, one.output).toBe(0)
  const drills = join(folder, 'scripts/output/federation-interop-drills')
  const [drillId = ''] = readdirSync(drills)
  expect(JSON.parse(readFileSync(join(drills, drillId, 'report.json'), 'utf8'))).toMatchObject({
    drill_id: drillId,
    remote_node_id: 'partner',
    passed: true,
    challenge_issue_passed: true,
    delivery_passed: true,
    receipt_signature_verified: true,
    replay_guard_passed: true
  })
  expect(readFileSync(join(drills, drillId, 'summary.md'), 'utf8')).toContain('passed')

  const byFile = join(folder, 'token')
  writeFileSync(byFile, `${staging.token}\n`)
  const named = await script('drill:federation-interop', [
    ...at,
    '--admin-token-file',
    byFile,
    '--remote-node-id',
    staging.did
  ])
  expect(named.code, named.output).toBe(0)
  const byVariable = { ANCHORMESH_DRILL_ADMIN_TOKEN: staging.token }
  const other = await script('drill:federation-interop', [...at, '--remote-node-id', preprod.did, '--json'], byVariable)
  expect(other.code).toBe(1)
  expect(JSON.parse(other.output)).toMatchObject({ passed: false, steps: expect.arrayContaining([]) as unknown })
  const wrong = await script('drill:federation-interop', [
    ...at,
    '--admin-token',
    preprod.token,
    '--remote-node-id',
    'x'
  ])
  expect(wrong.code).toBe(1)
  const away = await script('drill:federation-interop', [
    '--base-url',
    'http://127.0.0.1:1',
    '--admin-token',
    staging.token,
    '--remote-node-id',
    'x'
  ])
  expect(away.code).toBe(3)
  const typed = await script('drill:federation-interop', [
    ...at,
    '--remote-node-id',
    'x',
    `--admin-tokne=${staging.token}`
  ])
  expect(typed.code).toBe(2)
  const none = await script('drill:federation-interop', [...at, '--remote-node-id', 'x'])
  expect(none.code).toBe(2)

  const targets = join(folder, 'targets.json')
  const entryOf = ({ did, http, admin }: Started, variable: string) => ({
    base_url: http,
    admin_url: admin,
    admin_token_env: variable,
    remote_node_id: 'partner',
    did
  })
  const entries = { staging: entryOf(staging, 'A_TOKEN'), preprod: entryOf(preprod, 'B_TOKEN') }
  writeFileSync(targets, JSON.stringify({ v: 1, targets: entries }))
  const both = ['--required-targets', 'staging,preprod']
  const tokens = { A_TOKEN: staging.token, B_TOKEN: preprod.token }
  const early = await script('check:federation-interop', [...both, '--max-age-hours', '168', '--targets-file', targets])
  expect([early.code, early.output.includes('EVIDENCE_MISSING')]).toEqual([1, true])
  const matrix = await script('drill:federation-interop-matrix', ['--targets-file', targets, ...both], tokens)
  expect(matrix.code, matrix.output).toBe(0)
  const checking = ['--max-age-hours', '168', '--targets-file', targets]
  const good = await script('check:federation-interop', [...both, ...checking])
  expect(good.code, good.output).toBe(0)
  // Without a file that pins keys nothing counts; where one stands in its usual place, it need not be named.
  const unpinned = await script('check:federation-interop', [...both, '--max-age-hours', '168'])
  expect([unpinned.code, unpinned.output.includes('PINS_MISSING')]).toEqual([1, true])
  mkdirSync(join(folder, 'config'))
  writeFileSync(join(folder, 'config', 'interop-targets.json'), readFileSync(targets))
  expect((await script('check:federation-interop', [...both, '--max-age-hours', '168'])).code).toBe(0)

  const half = await script('drill:federation-interop-matrix', ['--targets-file', targets, ...both], {
    A_TOKEN: staging.token
  })
  expect(half.code).toBe(1)
  const after = await script('check:federation-interop', [...both, ...checking])
  expect([after.code, after.output.includes('preprod')]).toEqual([1, true])
  expect((await script('check:federation-interop', ['--required-targets', 'staging', ...checking])).code).toBe(0)

  const written = execFileSync('grep', ['-rhoE', '.*', join(folder, 'scripts')], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26
  })
  for (const token of [staging.token, preprod.token]) expect([...said, written].join('\n')).not.toContain(token)
})
