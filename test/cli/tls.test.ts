import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ConfigReloaded } from '../../src/policy/config-change.ts'
import { makeIdentity } from '../http/support/certificates.ts'
import { askTls, trusting } from '../http/support/tls-client.ts'
import { newFolder, runFailing, runJson } from '../support/cli.ts'
import { freePort } from '../support/free-port.ts'
import { adminOf } from '../support/mesh-folders.ts'
import { NAMESPACE, init, readAdmin, startNode } from '../support/nodes.ts'
import type { Status } from '../support/nodes.ts'
import { until } from '../support/until.ts'

const [first, second, partner] = [makeIdentity('first'), makeIdentity('second'), makeIdentity('partner')]
const PARTNER = 'did:key:z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg'

test('one listener for all, with TLS, pinned clients, and another certificate while it runs', async () => {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const show = ({ cert, key }: typeof first): void => {
    write('http.crt', cert)
    write('http.key', key)
  }
  show(first)
  const federation = readFileSync(join(folder, 'federation.yaml'), 'utf8')
  const tls = '\n  tls: { cert: http.crt, key: http.key }\n  mtls: required'
  write('federation.yaml', federation.replace(/^ +mtls:.*$/m, '').replace(/^http:$/m, `http:${tls}`))
  const listen = `0.0.0.0:${await freePort()}`
  const node = await startNode(folder, {
    environment: { ANCHORMESH_HTTP_LISTEN: listen, ANCHORMESH_ADMIN_LISTEN: listen }
  })
  const { http, admin } = node.ready
  expect([http, admin]).toEqual([http, http])
  expect(http).toBe(`https://127.0.0.1:${listen.split(':')[1]}`)
  expect(readAdmin(folder)).toMatchObject({ url: http, pin: first.pin })
  expect((await runJson<Status>(['status', '--data', folder])).log.logSeq).toBeGreaterThan(0)

  const events = async (server: typeof first): Promise<unknown[]> => {
    const answer = await askTls(`${http}/v1/events`, trusting(server, partner))
    return [answer.status, answer.json().code]
  }
  expect(await events(first)).toEqual([403, 'CERTIFICATE_NOT_PINNED'])
  expect((await askTls(`${http}/readyz`, trusting(first))).json()).toMatchObject({ status: 'ok' })

  // A stream that outlives its certificate.
  const before = adminOf(folder)
  const seen: number[] = []
  const stop = new AbortController()
  const followed = (async () => {
    for await (const { logSeq } of before.events({ scope: 'all', follow: true }, stop.signal)) seen.push(logSeq)
  })()
  await until('the first events', () => seen.length > 0)

  write('peers.yaml', `v: 1\npeers:\n  - { did: '${PARTNER}', orgId: partner, certificatePins: [${partner.pin}] }\n`)
  show(second)
  const reloaded = await runJson<ConfigReloaded>(['config', 'reload', '--data', folder])
  expect(reloaded.changes.map(({ key, needsRestart }) => [key, needsRestart])).toContainEqual([
    'http.tls.contents',
    false
  ])
  await until('the file names the new certificate', () => (readAdmin(folder) as { pin?: string }).pin === second.pin)
  expect(await events(second)).toEqual([200, undefined])
  await expect(events(first)).rejects.toThrow()

  const known = seen.length
  await adminOf(folder).seal({ namespace: NAMESPACE, batchId: 'b', receipts: [1] })
  await until('the stream goes on', () => seen.length > known)

  write('http.key', first.key)
  const { exitCode, error } = await runFailing(['config', 'reload', '--data', folder])
  expect([exitCode, error.code]).toEqual([2, 'CONFIG_INVALID'])
  expect(error.message).toContain('http.tls.cert: is not the certificate of the key')
  const refused = node.stderr().split('the configuration was not reloaded').length
  node.process.kill('SIGHUP')
  await until('SIGHUP says so', () => node.stderr().split('the configuration was not reloaded').length > refused)
  expect(await events(second)).toEqual([200, undefined])

  stop.abort()
  await followed
  node.process.kill('SIGTERM')
  expect((await node.ended).code).toBe(143)
})
