import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import { makeIdentity } from '../http/support/certificates.ts'
import type { TestFolder } from './support.ts'
import { edit, failureOf, initialised } from './support.ts'

const good = makeIdentity('good')
const other = makeIdentity('other')

/** A data folder whose http.tls names two files in it, which hold these. */
async function withTls(cert: string | null, key: string | null): Promise<TestFolder> {
  const folder = await initialised()
  await edit(folder.paths.federation, /^http:$/m, 'http:\n  tls: { cert: http.crt, key: http.key }')
  for (const [name, text] of [['http.crt', cert] as const, ['http.key', key] as const])
    if (text !== null) await writeFile(join(folder.sources.folder, name), text)
  return folder
}

test('certificate and key are read, and listeners may be reached from elsewhere', async () => {
  const folder = await withTls(good.cert, good.key)
  await edit(folder.paths.federation, /listen: "?127\.0\.0\.1:8088"?/, 'listen: "[::]:8088"')
  const { tls, certificates, withoutEffect } = await loadConfig(folder.sources)
  expect(tls).toEqual({ cert: good.cert, key: good.key })
  expect(certificates).toEqual([{ what: 'http.tls.cert (CN=good)', notAfter: good.notAfter }])
  expect(withoutEffect).toEqual([])
})

describe('what can not be used is a problem of the file that names it', () => {
  test.each([
    ['no certificate', null, good.key, /http\.tls\.cert: names \S+http\.crt, which is not there \[FILE_MISSING\]/],
    ['no key', good.cert, null, /http\.tls\.key: names \S+http\.key, which is not there \[FILE_MISSING\]/],
    ['no PEM', 'x', good.key, /http\.tls\.cert: names \S+, which holds no PEM certificate.*\[FILE_INVALID\]/],
    ['a key in the place of the certificate', good.key, good.key, /http\.tls\.cert: .* holds no PEM certificate/],
    ['a certificate in the place of the key', good.cert, good.cert, /http\.tls\.key: .* holds no PEM private key/],
    [
      'the key of another',
      good.cert,
      other.key,
      /http\.tls\.cert: is not the certificate of the key in http\.tls\.key/
    ],
    ['a key that is too short', ...weak(), /http\.tls\.cert: can't be used with http\.tls\.key: .*too small/]
  ])('%s', async (_name, cert, key, expected) => {
    const failure = await failureOf(loadConfig((await withTls(cert, key)).sources))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.message).toMatch(new RegExp(`^\\S+federation\\.yaml:\\d+:\\d+ ${expected.source}`))
  })

  test('both at once', async () => {
    const folder = await withTls(null, null)
    await rm(join(folder.sources.folder, 'http.crt'), { force: true })
    expect((await failureOf(loadConfig(folder.sources))).message.split('\n')).toHaveLength(2)
  })
})

test('two DIDs with one pin are named with their place', async () => {
  const folder = await initialised()
  const entry = (name: string): string =>
    `  - did: did:web:${name}.example\n    orgId: ${name}\n    certificatePins: [${'a'.repeat(64)}]\n`
  const keys =
    'keys: [{ kid: z6Mkvix4MDXuDZmep2rPr4EP9JFxWAVCTNRdBTwqGybJkUXg, publicKey: 8b_yJUXI1BwRHQqwH8I8BcLOqLIB5aWG5_-d9fWLC0c }]'
  await edit(folder.paths.peers, 'peers: []', `peers:\n${entry('one')}    ${keys}\n${entry('two')}    ${keys}`)
  expect((await failureOf(loadConfig(folder.sources))).message).toMatch(
    /peers\.yaml:\d+:\d+ peers\[1\]\.certificatePins\[0\]: is pinned to did:web:one\.example already/
  )
})

function weak(): [string, string] {
  const { cert, key } = makeIdentity('weak', ['-newkey', 'rsa:512'])
  return [cert, key]
}
