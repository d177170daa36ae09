import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const PLATFORM = `${import.meta.dirname}/../../src/platform`

async function outputOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  return stdout
}

test.each([
  ['systemClock', 'clock.ts'],
  ['portableClock', 'portable.ts']
])('a sleep of %s keeps the process alive until it is over', async (name, file) => {
  const program = `import { ${name} } from '${PLATFORM}/${file}'
    process.exitCode = 1
    await ${name}.sleep(20)
    process.exitCode = 0
    console.log('awake')`
  expect(await outputOf(program)).toBe('awake\n')
})

test('a timer of systemClock keeps no process alive', async () => {
  const program = `import { systemClock } from '${PLATFORM}/clock.ts'
    systemClock.after(3_600_000, () => {})
    console.log('done')`
  expect(await outputOf(program)).toBe('done\n')
})
