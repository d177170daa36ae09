import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BackupMade } from '../../src/backup/make-backup.ts'
import type { Restored } from '../../src/backup/restore-backup.ts'
import { ClientError, createClient, memoryCursorStore } from '../../src/client/index.ts'
import type { Client, CursorStore } from '../../src/client/index.ts'
import { FORMS, subscribe } from '../http/support/subscribers.ts'
import { newFolder, runJson, runWell } from '../support/cli.ts'
import { adminOf, announceAt, stopNode } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'

/** The name under which apps know the node, wherever it listens just now. */
const NODE = 'http://node.example'

/** A client of whichever node serves at `where`. */
function clientAt(where: { url: string }, cursorStore: CursorStore): Client {
  return createClient({
    url: NODE,
    cursorStore: () => cursorStore,
    fetch: (url, request) => fetch(url.replace(NODE, where.url), request),
    webSocket: (url) => new WebSocket(url.replace(/^ws:\/\/node\.example/, where.url.replace('http', 'ws')))
  })
}

test.each(['the same folder', 'another folder'])(
  'after a restore into %s each old cursor is refused by name, and apps go on as they chose',
  async (place) => {
    const folder = join(newFolder(), 'maker')
    await init(folder, 'maker-org')
    let node = await startNode(folder)
    const where = { url: node.ready.http }
    const announced = async (batchId: string, at: string): Promise<void> => {
      await adminOf(at).seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
      await announceAt(at, batchId)
    }
    for (const batchId of ['b-1', 'b-2']) await announced(batchId, folder)

    const retry = { baseMs: 20, maxMs: 200 }
    const told: string[] = []
    const store = memoryCursorStore()
    const going = new AbortController()
    const handled = clientAt(where, store)
      .handle('batches', { onGap: 'snapshot', retry, signal: going.signal }, (update) => {
        const { frame } = update
        if (frame === 'reset') told.push(`reset ${update.code}`)
        else if (frame === 'caught-up') told.push(frame)
        else told.push(`${frame} ${update.row?.batchId}`)
      })
      .catch((error: unknown) => error)
    const strict: string[] = []
    const refused = clientAt(where, memoryCursorStore())
      .handle('batches', { transport: 'websocket', retry }, (update) => void strict.push(update.frame))
      .catch((error: unknown) => error)
    for (const frames of [told, strict]) await until('both follow', () => frames.includes('caught-up'))

    const backup = join(newFolder(), 'backup')
    await runJson<BackupMade>(['backup', backup, '--data', folder])
    // What the backup has not: the app knows a row that the restored node never had.
    await announced('b-3', folder)
    await until('the app has it', () => told.includes('change b-3'))
    const raw = await subscribe(`${where.url}/v1/subscribe?projection=batches`, 'events')
    await raw.until('all rows', ({ frame }) => frame === 'caught-up')
    const old = raw.cursor() ?? ''
    await stopNode(node)

    const restored = place === 'the same folder' ? folder : join(newFolder(), 'restored')
    if (restored === folder) rmSync(folder, { recursive: true })
    const { epoch } = await runJson<Restored>(['restore', backup, '--data', restored])
    const before = told.length
    node = await startNode(restored)
    where.url = node.ready.http

    const query = `${where.url}/v1/subscribe?projection=batches`
    const answer = await fetch(`${query}&cursor=${old}`)
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { code: 'CURSOR_FOREIGN', oldest: expect.any(Number) as number, data: { epoch } }
    ])
    const byHeader = await fetch(query, { headers: { 'last-event-id': old } })
    expect([byHeader.status, await byHeader.json()]).toMatchObject([400, { code: 'CURSOR_FOREIGN' }])
    const message = await subscribe(`${query}&cursor=${old}`, 'messages')
    await until('the end', () => message.state.ended)
    expect(message.frames).toMatchObject([{ frame: 'cursor-foreign', epoch, oldest: expect.any(Number) as number }])
    expect(message.state.closeCode).toBe(1008)

    const failure = await refused
    expect(failure).toBeInstanceOf(ClientError)
    expect(failure).toMatchObject({ code: 'CURSOR_FOREIGN', isRetryable: false, oldest: expect.any(Number) as number })

    await until('the other has begun again', () => told.slice(before).includes('caught-up'))
    expect(told.slice(before)).toEqual(['reset CURSOR_FOREIGN', 'snapshot b-1', 'snapshot b-2', 'caught-up'])
    await announced('b-4', restored)
    await until('it is live', () => told.includes('change b-4'))
    // What it has kept is of the new epoch: an app that starts again has nothing to forget.
    const kept = await store.load()
    for (const form of FORMS) {
      const again = await subscribe(`${query}&cursor=${kept ?? ''}`, form, { hasCursor: true })
      await again.until('the end of what it missed', ({ frame }) => frame === 'caught-up')
      expect(again.frames.filter(({ frame }) => frame === 'snapshot')).toEqual([])
    }
    going.abort()
    await handled
    await stopNode(node)
    await runWell(['log', 'verify', '--data', restored])
  }
)
