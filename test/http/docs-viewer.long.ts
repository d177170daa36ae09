import { chromium } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { publicListener } from './support/listeners.ts'
import type { Document } from './support/openapi.ts'
import { somePacks, operationsIn } from './support/openapi.ts'

/** Where distributions put it; another place may be named. */
const CHROMIUM = process.env['ANCHORMESH_CHROMIUM'] ?? '/usr/bin/chromium'

it('shows every route in a browser that reaches nothing but the node, without an error', async () => {
  const { url } = await publicListener({ packs: somePacks })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const wrong: string[] = []
  const asked: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') wrong.push(message.text())
  })
  page.on('pageerror', (error) => wrong.push(String(error)))
  page.on('requestfailed', (request) => wrong.push(`${request.url()} failed`))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(`${url}/docs`)
  await page.waitForSelector('.opblock')
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document
  const methods = await page.locator('.opblock-summary-method').allTextContents()
  const paths = await page.locator('.opblock-summary-path').allTextContents()
  // Long paths may be broken at zero-width spaces.
  const shown = paths.map((path, index) => `${methods[index]?.toLowerCase()} ${path.replaceAll('\u200b', '')}`)
  expect(shown.toSorted()).toEqual(
    operationsIn(document)
      .map(({ method, path }) => `${method} ${path}`)
      .toSorted()
  )

  // One of them opened: parameters, and the schema of the answer.
  await page.click('.opblock-summary-path[data-path="/v1/projections/{name}"]')
  await page.waitForSelector('.opblock.is-open .parameters')
  expect(await page.locator('.opblock.is-open .parameters tbody tr').count()).toBe(12)
  expect(asked.filter((one) => !one.startsWith(`${url}/`) && !one.startsWith('data:'))).toEqual([])
  expect(wrong).toEqual([])
})
