import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { describeBitcoind, startBitcoind } from './bitcoind.ts'
import { until } from './until.ts'

const PROGRAM = `
  const { startBitcoind } = await import(${JSON.stringify(join(import.meta.dirname, 'bitcoind.ts'))})
  const { cookieFile } = await startBitcoind()
  console.log(cookieFile)
`

const pidIn = (cookieFile: string): number => Number(readFileSync(join(dirname(cookieFile), 'bitcoind.pid'), 'utf8'))

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

describeBitcoind('the one for tests', () => {
  it('leaves nothing behind when it is stopped', async () => {
    const node = await startBitcoind()
    const pid = pidIn(node.cookieFile)
    expect(isRunning(pid)).toBe(true)
    await node.stop()
    await until('it has ended', () => !isRunning(pid))
    expect(existsSync(dirname(dirname(node.cookieFile)))).toBe(false)
  })

  it('ends with the process that started it, even if that is killed', async () => {
    const owner = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let output = ''
    owner.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const cookieFile = await until('it has started', () => /^(.+)\n/.exec(output)?.[1], 50_000)
    const pid = pidIn(cookieFile)
    expect(isRunning(pid)).toBe(true)
    owner.kill('SIGKILL')
    await until('it has ended', () => !isRunning(pid))
    rmSync(dirname(dirname(cookieFile)), { recursive: true, force: true })
  })
})
