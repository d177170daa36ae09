import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { startPublicListener } from '../../src/http/public-listener.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { announces, caughtUp, members, openNode } from './workload.ts'

/** What the bench asks of the process that serves, one at a time. */
export type Asked =
  | { readonly kind: 'event' }
  | { readonly kind: 'raw'; readonly bytes: number }
  | { readonly kind: 'memory' | 'cpu' | 'end' }

export type Told =
  | { readonly kind: 'ready'; readonly url: string; readonly rawPort: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'memory'; readonly bytes: number; readonly subscribers: number }
  | { readonly kind: 'cpu'; readonly microseconds: number }

/** Garbage is collected in several steps; what is measured is what stays. */
const COLLECTIONS = 5
const COLLECTION_PAUSE_MS = 50

const signers = members(2)
const { node, end } = await openNode(signers)
const events = await announces(signers, Number(process.argv[2]))
await caughtUp(node)
const listener = await startPublicListener({
  listen: '127.0.0.1:0',
  operations: node,
  subscriptions: node.gateway.subscriptions,
  logger: silentLogger,
  clock: systemClock
})
const raw = new Set<Socket>()
const rawServer = createServer({ noDelay: true }, (socket) => {
  raw.add(socket)
  socket.on('close', () => raw.delete(socket))
  socket.on('error', () => raw.delete(socket))
})
await new Promise<void>((resolve) => {
  rawServer.listen(0, '127.0.0.1', resolve)
})

process.on('message', (asked: Asked) => void answer(asked))
tell({ kind: 'ready', url: listener.url, rawPort: (rawServer.address() as AddressInfo).port })

async function answer(asked: Asked): Promise<void> {
  if (asked.kind === 'event') {
    const event = events.shift()
    if (event === undefined) throw new Error('no more events')
    const { outcome } = await node.submit(event.wire)
    if (outcome !== 'accepted') throw new Error(outcome)
    tell({ kind: 'done' })
  } else if (asked.kind === 'raw') {
    const bytes = Buffer.alloc(asked.bytes, 'x')
    for (const socket of raw) socket.write(bytes)
    tell({ kind: 'done' })
  } else if (asked.kind === 'cpu') {
    const { user, system } = process.cpuUsage()
    tell({ kind: 'cpu', microseconds: user + system })
  } else if (asked.kind === 'memory') {
    for (let count = 0; count < COLLECTIONS; count += 1) {
      globalThis.gc?.()
      await delay(COLLECTION_PAUSE_MS)
    }
    const { subscribers } = node.gateway.subscriptions.stats()
    tell({ kind: 'memory', bytes: process.memoryUsage.rss(), subscribers })
  } else await stop()
}

function tell(told: Told): void {
  process.send?.(told)
}

async function stop(): Promise<void> {
  await listener.close()
  for (const socket of raw) socket.destroy()
  rawServer.close()
  await end()
  process.disconnect()
}
