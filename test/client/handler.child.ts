import { appendFileSync, closeSync, fsyncSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createClient } from '../../src/client/index.ts'
import type { CursorStore } from '../../src/client/index.ts'

/**
 * An app for the tests that kill it: `URL CURSOR HANDLED`. Follows `batches`, and writes the id of each event behind a row
 * durably to the file HANDLED, with `start` before the first, before its cursor moves on in the file CURSOR, which it writes `saved` of. An
 * event that ends a run has `end` after it. Says each event on standard output too.
 */
const [url = '', cursorPath = '', handledPath = ''] = process.argv.slice(2)

let known: string | null = null

const cursorStore: CursorStore = {
  load: async () => (known = await readFile(cursorPath, 'utf8').catch(() => null)),
  save: (cursor) => {
    // What a killed process has written stays; only a machine without power would lose it.
    writeFileSync(`${cursorPath}.new`, cursor)
    renameSync(`${cursorPath}.new`, cursorPath)
    appendFileSync(handledPath, 'saved\n')
    return Promise.resolve()
  }
}

append('start\n')
await createClient({ url }).handle('batches', { cursorStore, retry: { baseMs: 20 } }, (update) => {
  if (update.frame !== 'snapshot' && update.frame !== 'change') return
  for (const { eventId } of update.row?.announcements ?? []) {
    // Within a run the cursor is that of before.
    append(update.cursor === known ? `${eventId}\n` : `${eventId}\nend\n`)
    process.stdout.write('.\n')
  }
  known = update.cursor
})

function append(text: string): void {
  const file = openSync(handledPath, 'a')
  writeSync(file, text)
  fsyncSync(file)
  closeSync(file)
}
