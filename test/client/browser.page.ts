import { createClient, webCursorStore } from '../../src/client/index.ts'

/** What the test reads when the page is done. */
export interface PageReport {
  readonly health: string
  readonly rows: number
  readonly subscribed: readonly string[]
  readonly verified: number
  readonly checkedRows: readonly string[]
  readonly log: string
  readonly again: string
  readonly tampered: string
  readonly messages: number
}

/** An app in a browser: reads, follows `count` events, and checks all of them itself. */
export async function runPage(url: string, count: number): Promise<PageReport> {
  const storage = memoryStorage()
  const client = createClient({
    url,
    verify: { trust: {} },
    cursorStore: (name) => webCursorStore(name, storage)
  })
  const { status } = await client.health()
  const subscribed: string[] = []
  const checkedRows = new Set<string>()
  for await (const update of client.subscribe('batches')) {
    if (update.frame !== 'snapshot' && update.frame !== 'change') continue
    if (update.row === null) continue
    for (const { eventId } of update.row.announcements) subscribed.push(eventId)
    checkedRows.add(await client.verifyRow('batches', update.row))
    if (subscribed.length === count) break
  }
  let verified = 0
  for await (const event of client.events()) verified += event.scope === 'shared' ? 1 : 0
  const { rows } = await client.query('batches', { limit: 500 })
  const { outcome: log } = await client.verifyLog()
  const { outcome: again } = await client.verifyLog()
  let messages = 0
  for await (const update of client.subscribe('sequences', { transport: 'websocket' })) {
    messages += 1
    if (update.frame === 'caught-up') break
  }
  return {
    health: status,
    rows: rows.length,
    subscribed,
    verified,
    checkedRows: [...checkedRows],
    log,
    again,
    tampered: await tamperedCode(url),
    messages
  }
}

/** What the client says of an event whose signature was changed on the way. */
async function tamperedCode(url: string): Promise<string> {
  const liar = createClient({
    url,
    verify: { trust: {} },
    fetch: async (address, init) => {
      const text = await (await fetch(address, init)).text()
      // A bit of the first signature.
      const change = (_: string, begin: string, digit: string): string => `${begin}${digit === 'A' ? 'B' : 'A'}`
      return new Response(text.replace(/("bytes":"[^"]*)([^"])(?=[^"]{20}")/, change))
    }
  })
  try {
    for await (const event of liar.events()) return `took ${event.id}`
    return 'no events'
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

/** A page of `about:blank` has no `localStorage`. */
function memoryStorage() {
  const values = new Map<string, string>()
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value)
  }
}
