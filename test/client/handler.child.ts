import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createClient } from '../../src/client/index.ts'
import type { CursorStore } from '../../src/client/index.ts'

/**
 * An app for the tests that kill it: `URL CURSOR HANDLED`. Follows `batches`, and writes the id of each event behind a row
 * durably to the file HANDLED, with `start` before the first, before its cursor moves on in the file CURSOR, which it writes `saved` of. Says
 * each event on standard output too.
 */
const [url = '', cursorPath = '', handledPath = ''] = process.argv.slice(2)

const cursorStore: CursorStore = {
  load: () => readFile(cursorPath, 'utf8').catch(() => null),
  save: (cursor) => {
    write(`${cursorPath}.new`, 'w', cursor)
    renameSync(`${cursorPath}.new`, cursorPath)
    write(handledPath, 'a', 'saved\n')
    return Promise.resolve()
  }
}

write(handledPath, 'a', 'start\n')
await createClient({ url }).handle('batches', { cursorStore, retry: { baseMs: 20 } }, (update) => {
  if (update.frame !== 'snapshot' && update.frame !== 'change') return
  for (const { eventId } of update.row?.announcements ?? []) {
    write(handledPath, 'a', `${eventId}\n`)
    process.stdout.write('.\n')
  }
})

function write(path: string, flags: 'a' | 'w', text: string): void {
  const file = openSync(path, flags)
  writeSync(file, text)
  fsyncSync(file)
  closeSync(file)
}
