import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commitIn } from '../../../simulations/run/program-version.ts'
import { newFolder } from '../../support/cli.ts'

const git = (folder: string, ...command: readonly string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...command], { encoding: 'utf8' })

test('the commit says where the source was changed since', async () => {
  const folder = newFolder()
  expect(await commitIn(folder)).toBe(null)
  mkdirSync(join(folder, 'src', 'deep'), { recursive: true })
  for (const name of ['src/deep/a.ts', 'src/notes.md', 'package.json']) writeFileSync(join(folder, name), 'one')
  for (const command of [
    ['init', '-q'],
    ['add', '.'],
    ['commit', '-qm', 'One']
  ])
    git(folder, ...command)
  const commit = git(folder, 'rev-parse', 'HEAD').trim()
  expect(await commitIn(folder)).toBe(commit)
  // What runs write changes no run.
  mkdirSync(join(folder, 'simulations', 'results'), { recursive: true })
  for (const name of ['simulations/results/summary.json', 'src/notes.md']) writeFileSync(join(folder, name), 'two')
  expect(await commitIn(folder)).toBe(commit)
  writeFileSync(join(folder, 'src/deep/a.ts'), 'two')
  expect(await commitIn(folder)).toBe(`${commit}-dirty`)
  // A package that is installed in a checkout is none of its source.
  expect(await commitIn(join(folder, 'src'))).toBe(null)
})
