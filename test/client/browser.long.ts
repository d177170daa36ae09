import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import { rolldown } from 'rolldown'
import { expect, onTestFinished, test } from 'vitest'
import type { PageReport } from './browser.page.ts'
import { servingNode } from './serving.ts'

const EVENTS = 100
/** Minified; half as much again as when this was written. An app loads it once. */
const BUNDLE_BYTES_MAX = 320_000

/** The browser of this machine, or null. */
function chromiumPath(): string | null {
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.map((folder) => join(folder, 'chromium')).find(isRunnable) ?? null
}

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not here.
    return false
  }
}

/** The page's script as a bundler makes it for browsers, with all that it imports. */
async function bundle(input: string): Promise<string> {
  const warnings: string[] = []
  const built = await rolldown({
    input,
    platform: 'browser',
    onLog: (_level, { message }) => void warnings.push(message)
  })
  const { output } = await built.generate({ format: 'esm', minify: true })
  await built.close()
  expect(warnings).toEqual([])
  expect(output).toHaveLength(1)
  const [{ code, imports, dynamicImports }] = output
  expect([...imports, ...dynamicImports]).toEqual([])
  return code
}

/** Serves the script and an empty page from an origin of their own. */
async function servePage(script: string): Promise<string> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : '<!doctype html><title>app</title>')
  })
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('the client is bundled for browsers without anything of Node', async () => {
  const code = await bundle(join(import.meta.dirname, '..', '..', 'src', 'client', 'index.ts'))
  // `node:crypto` is asked for by name where there is a `process`, and imported nowhere.
  expect(code.match(/node:[a-z_/]+/g) ?? []).toEqual(['node:crypto'])
  expect(code).not.toMatch(/\brequire\(/)
  expect(code.length).toBeLessThan(BUNDLE_BYTES_MAX)
})

const executablePath = chromiumPath()
if (executablePath === null) console.log('no chromium: the test of the client in a browser is skipped')

test.skipIf(executablePath === null)('a page of another origin reads, follows and checks a real node', async () => {
  const origin = await servePage(await bundle(join(import.meta.dirname, 'browser.page.ts')))
  const serving = await servingNode(EVENTS, { corsOrigins: [origin] })
  await serving.take(serving.events.slice(0, 40))
  const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('pageerror', ({ message }) => errors.push(message))
  await page.goto(origin)
  // As text, which no transformer of the tests rewrites.
  const asked = `runPage(${JSON.stringify(serving.url)}, ${EVENTS})`
  const running = page.evaluate<PageReport>(`import('${origin}/page.js').then((page) => page.${asked})`)
  const [report] = await Promise.all([running, serving.take(serving.events.slice(40))])
  expect(new Set(report.subscribed)).toEqual(new Set(serving.events.map(({ id }) => id)))
  expect(report).toMatchObject({
    health: 'ok',
    rows: EVENTS,
    verified: EVENTS,
    checkedRows: ['signed'],
    log: 'first',
    again: 'same',
    tampered: 'VERIFICATION_FAILED',
    messages: 4
  })
  expect(errors).toEqual([])
})
