import { connect } from 'node:net'
import type { Socket } from 'node:net'

/** Sends one request after another over one kept connection, each when the answer before it is there. */
async function askAgain(socket: Socket, next: () => Buffer | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    const ask = (): void => {
      const head = next()
      if (head === undefined) resolve()
      else socket.write(head)
    }
    socket.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      const header = received.toString('latin1', 0, end)
      const status = header.slice(9, 12)
      const length = status === '304' ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(header)?.[1] ?? Number.NaN)
      if (received.length < end + 4 + length) return
      if (status !== '200' && status !== '304') {
        reject(new Error(`answered ${header}`))
        return
      }
      received = Buffer.alloc(0)
      ask()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed')))
    ask()
  })
}

/**
 * Asks `count` times, for these addresses of one host in turn, over so many connections at once; resolves with the
 * seconds that it took.
 */
export async function load(
  urls: readonly string[],
  {
    count,
    connections,
    headers = '',
    from = 0
  }: {
    readonly count: number
    readonly connections: number
    readonly headers?: string
    /** How many of the addresses, again and again, were asked for before. */
    readonly from?: number
  }
): Promise<number> {
  const heads = urls.map((url) => {
    const { host, pathname, search } = new URL(url)
    return Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n`)
  })
  const { hostname, port } = new URL(urls[0] ?? '')
  const sockets = await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => resolve(socket.setNoDelay(true)))
          socket.once('error', reject)
        })
    )
  )
  let asked = 0
  const next = (): Buffer | undefined => {
    if (asked === count) return undefined
    asked += 1
    return heads[(from + asked) % heads.length]
  }
  const startedMs = performance.now()
  await Promise.all(sockets.map((socket) => askAgain(socket, next)))
  const seconds = (performance.now() - startedMs) / 1_000
  for (const socket of sockets) socket.destroy()
  return seconds
}
