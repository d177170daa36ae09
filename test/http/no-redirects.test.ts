import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { createAdminClient } from '../../src/http/admin-client.ts'
import { httpTransport } from '../../src/http/pack-transport.ts'
import { systemClock } from '../../src/platform/clock.ts'

const SOURCES = join(import.meta.dirname, '..', '..', 'src')

test('every request of this project says that it follows no redirect', () => {
  const calls = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(SOURCES, file), 'utf8')
      return [...text.matchAll(/(?:await|return|=>|=) fetch\(/g)].map(({ index }) => {
        const call = text.slice(index, index + 600)
        // What hands on the options of another call is held by that one.
        return { file, isHeld: /redirect: '(?:error|manual)'/.test(call) || /^\S+ fetch\(\w+, init\)/.test(call) }
      })
    })
  expect(calls.length).toBeGreaterThan(3)
  expect(calls.filter(({ isHeld }) => !isHeld)).toEqual([])
})

test('whoever sends elsewhere gets neither the token nor another request', async () => {
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    response.writeHead(307, { location: `http://${request.headers.host}/elsewhere` }).end()
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await expect(createAdminClient({ url, token: 't' }).status()).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  const pulled = await httpTransport(url, systemClock).pull(
    { orgId: 'o', afterPackSeq: 0, limit: 1 },
    new AbortController().signal
  )
  expect(pulled).toMatchObject({ ok: false, reason: 'broken' })
  expect(asked).toEqual(['/v1/admin/status', '/v1/packs/o?after=0&limit=1'])
})
