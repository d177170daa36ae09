import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openLevelStore } from '../../src/log/level-store.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'

/**
 * Writes to the store of its argument until a write is cut in the middle, gets room again, writes on, and ends as if
 * killed. Prints the key of each write that was acknowledged, and `! CODE` for one that was not. The limit is its own,
 * on the size of its files.
 */
const location = process.argv[2] ?? ''
const store = await openLevelStore(location, { create: true })

async function write(key: string, bytes: number): Promise<void> {
  try {
    await store.write([{ type: 'put', key, value: new Uint8Array(bytes).fill(key.charCodeAt(0)) }], { sync: true })
    process.stdout.write(`${key}\n`)
  } catch (error) {
    process.stdout.write(`! ${error instanceof AnchormeshError ? error.code : String(error)}\n`)
  }
}

function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
}

for (let index = 0; index < 10; index += 1) await write(`a${index}`, 5_000)
const log = readdirSync(location).find((name) => /^\d+\.log$/.test(name)) ?? ''
limitFiles(statSync(join(location, log)).size + 1_000)
// One that is cut, and one that stands behind it in the queue of LevelDB.
await Promise.all([write('b0', 20_000), write('b1', 10)])
limitFiles('unlimited')
for (let index = 0; index < 10; index += 1) await write(`c${index}`, 100)
await store.reopen()
for (let index = 0; index < 10; index += 1) await write(`d${index}`, 100)
process.kill(process.pid, 'SIGKILL')
