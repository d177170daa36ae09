import { flushCompileCache } from 'node:module'
import type { WriteOperation } from '../../src/log/store.ts'
import { WrappedStore } from '../support/stores.ts'
import { openKilled } from './kill-nodes.ts'

/**
 * A node process for tests that end it: `FOLDER PORT [WRITES]`. Prints `started`, dials the survivor at the port, syncs with it, and
 * prints the id of each event as soon as it is in its log. Runs until it is killed.
 */
const [folder = '', port = '', writes] = process.argv.slice(2)
let left = Infinity
/** Ends the process as soon as the write is handed on: whether it reaches the disk is chance. */
class EndingStore extends WrappedStore {
  override write(operations: readonly WriteOperation[], options: { readonly sync: boolean }): Promise<void> {
    const written = super.write(operations, options)
    left -= 1
    if (left <= 0) process.kill(process.pid, 'SIGKILL')
    return written
  }
}
const node = await openKilled(folder, { port: Number(port), wrap: (store) => new EndingStore(store) })
left = Number(writes ?? Infinity)
const { log } = await node.status()
// A process that is killed writes no cache at its end.
flushCompileCache()
process.stdout.write('started\n')
await node.start()
for await (const { id } of node.events({ follow: true, after: log.logSeq, scope: 'shared' }))
  process.stdout.write(`${id}\n`)
