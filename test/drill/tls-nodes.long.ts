import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeIdentity } from '../http/support/certificates.ts'
import type { TestIdentity } from '../http/support/certificates.ts'
import { newFolder, run } from '../support/cli.ts'
import type { Ended } from '../support/cli.ts'
import { freePort } from '../support/free-port.ts'
import { init, readAdmin, startNode } from '../support/nodes.ts'

const PARTNER = 'did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg'
const [partner, stranger] = [makeIdentity('partner'), makeIdentity('stranger')]

interface Target {
  readonly did: string
  readonly http: string
  readonly admin: string
  readonly token: string
  readonly identity: TestIdentity
}

/** A node that serves by TLS to pinned certificates alone. */
async function startTarget(name: string, listen: { readonly http: string; readonly admin: string }): Promise<Target> {
  const folder = join(newFolder(), name)
  await init(folder, name)
  const identity = makeIdentity(name)
  const at = (file: string): string => join(folder, file)
  writeFileSync(at('http.crt'), identity.cert)
  writeFileSync(at('http.key'), identity.key)
  const federation = readFileSync(at('federation.yaml'), 'utf8')
  const tls = '\n  tls: { cert: http.crt, key: http.key }\n  mtls: required'
  writeFileSync(at('federation.yaml'), federation.replace(/^ +mtls:.*$/m, '').replace(/^http:$/m, `http:${tls}`))
  const pinned = `  - { did: '${PARTNER}', orgId: partner, certificatePins: [${partner.pin}] }\n`
  writeFileSync(at('peers.yaml'), `v: 1\npeers:\n${pinned}`)
  const environment = { ANCHORMESH_HTTP_LISTEN: listen.http, ANCHORMESH_ADMIN_LISTEN: listen.admin }
  const { ready } = await startNode(folder, { environment })
  return { ...ready, token: readAdmin(folder).token, identity }
}

interface Files {
  readonly folder: string
  readonly path: (name: string) => string
}

/** A folder with the certificates that drills are given. */
function certificates(): Files {
  const folder = newFolder()
  const path = (name: string): string => join(folder, name)
  for (const [name, { cert, key }] of Object.entries({ partner, stranger })) {
    writeFileSync(path(`${name}.crt`), cert)
    writeFileSync(path(`${name}.key`), key)
  }
  return { folder, path }
}

const shownBy = ({ path }: Files, name: string): readonly string[] => [
  '--cert',
  path(`${name}.crt`),
  '--key',
  path(`${name}.key`)
]

interface DrillRun extends Ended {
  /** What failed, as `step status code`. */
  readonly failed: readonly string[]
  readonly passed: boolean
}

async function drill({ folder }: Files, target: Target, args: readonly string[]): Promise<DrillRun> {
  const at = ['--base-url', target.http, ...(target.admin === target.http ? [] : ['--admin-url', target.admin])]
  const ended = await run(
    ['drill', 'run', ...at, '--remote-node-id', target.did, '--out', join(folder, 'drills'), '--json', ...args],
    { environment: { ANCHORMESH_DRILL_ADMIN_TOKEN: target.token } }
  )
  if (ended.stdout === '') throw new Error(`drill run ended with ${ended.code}: ${ended.stderr}`)
  const report = JSON.parse(ended.stdout) as {
    readonly passed: boolean
    readonly steps: readonly { name: string; outcome: string; status: number | null; code: string | null }[]
  }
  const failed = report.steps
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ name, status, code }) => `${name} ${status} ${code}`)
  return { ...ended, passed: report.passed, failed }
}

test('drills by TLS and client certificate, one by one and as a matrix, and the check of what they left', async () => {
  const shared = `0.0.0.0:${await freePort()}`
  const [apart, together] = await Promise.all([
    startTarget('staging', { http: '127.0.0.1:0', admin: '0.0.0.0:0' }),
    startTarget('preprod', { http: shared, admin: shared })
  ])
  expect([apart.http, apart.admin, together.http].map((url) => new URL(url).protocol)).toEqual([
    'https:',
    'https:',
    'https:'
  ])
  expect([apart.admin === apart.http, together.admin === together.http]).toEqual([false, true])
  const files = certificates()
  for (const [name, { identity }] of Object.entries({ apart, together })) writeFileSync(files.path(name), identity.cert)
  const said: string[] = []

  for (const [name, target] of Object.entries({ apart, together })) {
    const trusting = ['--ca', files.path(name)]
    const good = await drill(files, target, [...trusting, ...shownBy(files, 'partner')])
    expect([good.code, good.failed], good.stdout).toEqual([0, []])
    const pinned = await drill(files, target, ['--pin', target.identity.pin, ...shownBy(files, 'partner')])
    expect([pinned.code, pinned.failed], pinned.stdout).toEqual([0, []])

    const none = await drill(files, target, trusting)
    expect([none.code, none.failed[0]]).toEqual([1, 'node-document 401 CERTIFICATE_REQUIRED'])
    const unpinned = await drill(files, target, [...trusting, ...shownBy(files, 'stranger')])
    expect([unpinned.code, unpinned.failed[0]]).toEqual([1, 'node-document 403 CERTIFICATE_NOT_PINNED'])
    const untrusted = await drill(files, target, shownBy(files, 'partner'))
    expect([untrusted.code, untrusted.failed[0]]).toEqual([1, 'node-document null CERTIFICATE_NOT_TRUSTED'])
    said.push(...[good, pinned, none, unpinned, untrusted].flatMap(({ stdout, stderr }) => [stdout, stderr]))
  }

  const tls = { cert: 'partner.crt', key: 'partner.key' }
  const entries = {
    staging: {
      base_url: apart.http,
      admin_url: apart.admin,
      admin_token_env: 'A_TOKEN',
      remote_node_id: 'partner',
      did: apart.did,
      tls: { ...tls, ca: 'apart' }
    },
    preprod: {
      base_url: together.http,
      admin_token_env: 'B_TOKEN',
      remote_node_id: 'partner',
      did: together.did,
      tls: { ...tls, pin_sha256: together.identity.pin }
    }
  }
  const targets = files.path('targets.json')
  const required = ['--required-targets', 'staging,preprod', '--out', files.path('matrix')]
  const both = ['--targets-file', targets, ...required]
  const environment = { A_TOKEN: apart.token, B_TOKEN: together.token }
  const matrix = async (named: object): Promise<Ended> => {
    writeFileSync(targets, JSON.stringify({ v: 1, targets: named }))
    const ended = await run(['drill', 'matrix', ...both], { environment })
    said.push(ended.stdout, ended.stderr)
    return ended
  }
  const check = async (): Promise<Ended> =>
    await run(['drill', 'check', '--targets-file', targets, '--max-age-hours', '1', ...required])
  const whole = await matrix(entries)
  expect(whole.code, whole.stdout + whole.stderr).toBe(0)
  const checked = await check()
  expect(checked.code, checked.stdout + checked.stderr).toBe(0)

  // Without the certificate one target fails, and so does the check of what was left.
  const half = await matrix({ ...entries, staging: { ...entries.staging, tls: { ca: 'apart' } } })
  expect([half.code, half.stdout.includes('CERTIFICATE_REQUIRED')], half.stdout).toEqual([1, true])
  const rechecked = await check()
  expect([rechecked.code, rechecked.stdout.includes('staging')]).toEqual([1, true])

  const written = readdirSync(files.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
  for (const token of [apart.token, together.token]) expect([...said, ...written].join('\n')).not.toContain(token)
})
