import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

describe('npm ci', () => {
  const preinstall = (agent: string): { status: number | null; stderr: string } => {
    const script = join(ROOT, 'src', 'preinstall.cjs')
    const { status, stderr } = spawnSync(process.execPath, [script], {
      env: { ...process.env, npm_config_user_agent: agent },
      encoding: 'utf8'
    })
    return { status, stderr }
  }

  test.each(['18.20.8', '20.18.3', '21.7.3', '22.11.0'])('refuses Node %s and says what to do', (version) => {
    const { status, stderr } = preinstall(`npm/10.8.2 node/v${version} linux x64 workspaces/false`)
    expect(status).toBe(1)
    expect(stderr).toContain(version.split('.').slice(0, 2).join('.'))
    expect(stderr).toContain('npm ci')
  })

  test.each(['20.19.0', '20.20.2', '22.12.0', '23.0.0', '24.21.0', '26.1.0'])('takes Node %s', (version) => {
    expect(preinstall(`npm/11.19.1 node/v${version} linux x64 workspaces/false`)).toEqual({ status: 0, stderr: '' })
  })

  test('goes by its own Node where no package manager says on which it runs', () => {
    expect(preinstall('')).toEqual({ status: 0, stderr: '' })
  })
})

describe('the anchormesh command', () => {
  test.each(['18.20.8', '20.20.2', '22.11.0'])('says what to do on Node %s and loads nothing', (version) => {
    const launcher = JSON.stringify(join(ROOT, 'src', 'cli', 'anchormesh.cjs'))
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require(${launcher})`
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', pretend], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain('needs Node 22.12 or newer')
  })
})
