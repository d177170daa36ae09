import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findAnvil, startEvmChain } from '../../src/cli/demo/evm-chain.ts'
import { until } from '../support/until.ts'

const MODULE = join(import.meta.dirname, '..', '..', 'src', 'cli', 'demo', 'evm-chain.ts')
const anvil = findAnvil() ?? ''

async function chainIdOf(url: string): Promise<string | null> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] })
  const asked = fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  // Refused where nobody listens any more.
  const response = await asked.catch((error: unknown) =>
    error instanceof TypeError ? null : Promise.reject(error as Error)
  )
  return response === null ? null : ((await response.json()) as { result: string }).result
}

it('starts a chain of its own, with funded accounts, and ends it', async () => {
  const chain = await startEvmChain(anvil, { chainNumber: 4_242 })
  expect(chain).toMatchObject({ chainId: 'eip155:4242', privateKeys: { length: 10 } })
  expect(await chainIdOf(chain.url)).toBe('0x1092')
  await chain.stop()
  expect(await chainIdOf(chain.url)).toBeNull()
  await chain.stop()
})

it('says why it does not start', async () => {
  await expect(startEvmChain(anvil, { args: ['--no-such-option'] })).rejects.toThrow('--no-such-option')
  await expect(startEvmChain(join(import.meta.dirname, 'no-anvil'))).rejects.toThrow('ENOENT')
})

it('ends with the process that started it, though that is killed', async () => {
  const program = `
    const { startEvmChain } = await import(${JSON.stringify(MODULE)})
    console.log((await startEvmChain(${JSON.stringify(anvil)})).url)
    setInterval(() => {}, 60_000)
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [url] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
  expect(await chainIdOf(url.trim())).not.toBeNull()
  parent.kill('SIGKILL')
  let ended = false
  const look = async (): Promise<void> => {
    while (!ended) ended = (await chainIdOf(url.trim())) === null
  }
  void look()
  await until('anvil has ended', () => ended)
})
