import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import type { DevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { requestTimestamp } from '../../src/timestamps/clients/rfc3161-client.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { openssl, opensslDone, opensslIsInstalled, withFolder } from './support/openssl.ts'
import { imprint, postQuery, queryDer, ROOT, SHA_512 } from './support/query.ts'

const installed = opensslIsInstalled()
if (!installed) console.info('skipped: the openssl command is not installed, so nobody else looks at the tokens')

describe.skipIf(!installed)('the openssl command on the development TSA', () => {
  let tsa: DevelopmentTsa
  beforeAll(async () => {
    tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
  })
  afterAll(() => tsa.close())

  const withQuery = <Result>(args: readonly string[], use: (folder: string) => Promise<Result>): Promise<Result> =>
    withFolder({ 'data.txt': 'what is stamped\n', 'root.pem': tsa.rootCertificatePem }, async (folder) => {
      await opensslDone(folder, 'ts', '-query', '-data', 'data.txt', '-out', 'query.tsq', ...args)
      const query = new Uint8Array(await readFile(join(folder, 'query.tsq')))
      await writeFile(join(folder, 'reply.tsr'), (await postQuery(tsa.url, query)).body)
      return use(folder)
    })
  const verify = ['ts', '-verify', '-in', 'reply.tsr', '-CAfile', 'root.pem'] as const

  it.each(['-sha256', '-sha384', '-sha512'])('verifies the reply to its own %s query with -cert', (algorithm) =>
    withQuery([algorithm, '-cert'], async (folder) => {
      expect(await opensslDone(folder, ...verify, '-queryfile', 'query.tsq')).toContain('Verification: OK')
      expect(await opensslDone(folder, ...verify, '-data', 'data.txt')).toContain('Verification: OK')
    })
  )

  it('verifies the reply to a query without a nonce', () =>
    withQuery(['-sha256', '-cert', '-no_nonce'], async (folder) => {
      expect(await opensslDone(folder, ...verify, '-queryfile', 'query.tsq')).toContain('Verification: OK')
    }))

  it('verifies a reply without certificate only when it is given the certificate', async () => {
    const signer = await withQuery(['-sha256', '-cert'], async (folder) => {
      await opensslDone(folder, 'ts', '-reply', '-in', 'reply.tsr', '-token_out', '-out', 'token.der')
      return opensslDone(folder, 'pkcs7', '-inform', 'DER', '-in', 'token.der', '-print_certs')
    })
    await withQuery(['-sha256'], async (folder) => {
      const alone = await openssl(folder, ...verify, '-queryfile', 'query.tsq')
      expect(alone.text).toContain('signer certificate not found')
      await writeFile(join(folder, 'signer.pem'), signer)
      const verified = await opensslDone(folder, ...verify, '-queryfile', 'query.tsq', '-untrusted', 'signer.pem')
      expect(verified).toContain('Verification: OK')
      const strict = ['verify', '-x509_strict', '-purpose', 'timestampsign', '-CAfile', 'root.pem', 'signer.pem']
      expect(await opensslDone(folder, ...strict)).toContain('signer.pem: OK')
    })
  })

  it('refuses a token of another development TSA, and one over other data', () =>
    withQuery(['-sha256', '-cert'], async (folder) => {
      const other = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
      await other.close()
      await writeFile(join(folder, 'other.pem'), other.rootCertificatePem)
      const foreign = ['ts', '-verify', '-in', 'reply.tsr', '-CAfile', 'other.pem', '-queryfile', 'query.tsq'] as const
      expect(await openssl(folder, ...foreign)).toMatchObject({ status: 1 })
      expect((await openssl(folder, ...verify, '-data', 'root.pem')).text).toContain('message imprint mismatch')
    }))

  it('reads the failure of each refusal as it is meant', async () => {
    const failureOf = (query: Uint8Array<ArrayBuffer>): Promise<string> =>
      withFolder({}, async (folder) => {
        await writeFile(join(folder, 'reply.tsr'), (await postQuery(tsa.url, query)).body)
        const text = await opensslDone(folder, 'ts', '-reply', '-in', 'reply.tsr', '-text')
        expect(text).toContain('Status: Rejected.')
        return /Failure info: (.*)/.exec(text)?.[1] ?? ''
      })
    expect(await failureOf(new TextEncoder().encode('<html>'))).toBe('the data submitted has the wrong format')
    expect(await failureOf(queryDer({ version: 7 }))).toBe('transaction not permitted or supported')
    expect(await failureOf(queryDer({ messageImprint: imprint('1.2.3.4', ROOT) }))).toBe(
      'unrecognized or unsupported algorithm identifier'
    )
    expect(await failureOf(queryDer({ messageImprint: imprint(SHA_512, ROOT) }))).toBe(
      'the data submitted has the wrong format'
    )
    expect(await failureOf(queryDer({ reqPolicy: '1.2.3.4' }))).toBe(
      'the requested TSA policy is not supported by the TSA'
    )
    const sha1 = withQuery(['-sha1'], (folder) => opensslDone(folder, 'ts', '-reply', '-in', 'reply.tsr', '-text'))
    expect(await sha1).toContain('unrecognized or unsupported algorithm identifier')
  })

  it('verifies what the client was given against the root as people write it', async () => {
    const nowMs = Date.UTC(2031, 0, 2, 3, 4, 5, 678)
    const clock = createHandClock(nowMs)
    const later = await startDevelopmentTsa({ clock, random: systemRandom })
    const request = { url: later.url, root: ROOT, tsa: 'dev', random: systemRandom, clock, timeoutMs: 1 }
    const stamped = await requestTimestamp(request)
    await later.close()
    if (!stamped.ok) throw new Error(stamped.detail)
    expect(stamped.genTime).toBe(nowMs)
    await withFolder({ 'token.der': stamped.token, 'root.pem': later.rootCertificatePem }, async (folder) => {
      const token = ['-in', 'token.der', '-token_in'] as const
      const at = ['-CAfile', 'root.pem', '-attime', String(Math.floor(nowMs / 1000))] as const
      const verified = await opensslDone(folder, 'ts', '-verify', '-digest', toHex(ROOT), ...token, ...at)
      expect(verified).toContain('Verification: OK')
      const other = await openssl(folder, 'ts', '-verify', '-digest', toHex(ROOT.with(0, 8)), ...token, ...at)
      expect(other.text).toContain('message imprint mismatch')
      const text = await opensslDone(folder, 'ts', '-reply', ...token, '-text')
      expect(text).toContain('Time stamp: Jan  2 03:04:05.678 2031 GMT')
      expect(text).toContain(`Serial number: 0x${stamped.serialNumber.toUpperCase()}`)
    })
  })
})
