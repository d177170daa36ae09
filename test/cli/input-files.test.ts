import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFolder, run } from '../support/cli.ts'
import { NAMESPACE, init } from '../support/nodes.ts'

/** How often this process, in which the verbs run, has the file open. */
const timesOpen = (file: string): number => readdirSync('/proc/self/fd').filter((fd) => leadsTo(fd) === file).length

/** What a descriptor stands for; that of the listing itself is gone again. */
function leadsTo(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return null
  }
}

test.runIf(platform() === 'linux')(
  'a verb that is refused, before it reads its file or within it, leaves it closed',
  async () => {
    const folder = newFolder()
    const maker = join(folder, 'maker')
    await init(maker, 'maker')
    const file = join(folder, 'input.jsonl')
    // More than is read ahead of what is refused.
    writeFileSync(file, '{"a":1}\n{\n'.repeat(100_000))
    const [nowhere, there] = [
      ['--data', join(folder, 'nowhere')],
      ['--data', maker]
    ] as const
    const sealing = ['seal', '--namespace', NAMESPACE, '--batch', 'b-1', file]
    const refused: readonly (readonly string[])[] = [
      [...sealing, ...nowhere],
      [...sealing, ...there],
      ['seal', '--namespace', 'dao:elsewhere', '--batch', 'b-1', file, ...there],
      ['seal', '--namespace', NAMESPACE, '--next', file, ...nowhere],
      ['seal', '--namespace', NAMESPACE, '--next', file, ...there],
      ['log', 'import', file, ...nowhere],
      ['log', 'import', file, ...there],
      ['verify', file],
      ['peers', 'add', file, ...nowhere],
      ['anchor', 'upgrade', '--namespace', NAMESPACE, '--batch', 'b-1', '--proof', file, ...nowhere]
    ]
    for (const args of refused) {
      const { code } = await run(args)
      expect([args, code, timesOpen(file)]).toEqual([args, expect.any(Number), 0])
      expect(code).not.toBe(0)
    }
  }
)
