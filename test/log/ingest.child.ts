import { readFileSync } from 'node:fs'
import { openDiskNode } from './disk-node.ts'

/**
 * A node process for tests that end it, or its disk: `FOLDER EVENTS`, the latter a file with an id and wire bytes in
 * base64 on each line. Takes the events in, some at once, and prints the id of each on a line as soon as it is
 * acknowledged; `! CODE` for an outcome that acknowledges nothing, after which the event is tried again; `done` at the
 * end, when it waits to be ended.
 */
const [folder = '', file = ''] = process.argv.slice(2)
const AT_ONCE = 16
const RETRY_AFTER_MS = 50

const events = readFileSync(file, 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
const node = await openDiskNode(folder)
for (let from = 0; from < events.length; from += AT_ONCE) {
  let left = events.slice(from, from + AT_ONCE)
  while (left.length > 0) {
    const acknowledged = await Promise.all(left.map(([id = '', wire = '']) => takeIn(id, Buffer.from(wire, 'base64'))))
    left = left.filter((_, index) => acknowledged[index] !== true)
    if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS))
  }
}
process.stdout.write('done\n')
setInterval(() => {}, 1_000)

async function takeIn(id: string, wire: Uint8Array): Promise<boolean> {
  const outcome = await node.submit(wire)
  const acknowledged = outcome.outcome === 'accepted' || outcome.outcome === 'duplicate'
  process.stdout.write(acknowledged ? `${id}\n` : `! ${'code' in outcome ? outcome.code : outcome.outcome}\n`)
  return acknowledged
}
