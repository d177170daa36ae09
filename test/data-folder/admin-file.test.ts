import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readAdminFile, removeAdminFile, writeAdminFile } from '../../src/cli/data-folder/admin-file.ts'
import { writeAtomically } from '../../src/platform/atomic-file.ts'
import { dataPaths } from '../../src/cli/data-folder/paths.ts'
import { emptyFolder, failureOf } from './support.ts'

const admin = { pid: 4711, url: 'http://127.0.0.1:40123', token: 'secret' }

test('the admin file is for its owner only, and goes with the node that wrote it', async () => {
  const folder = await emptyFolder()
  expect(await readAdminFile(folder)).toBeNull()
  await writeAdminFile(folder, admin)
  expect(await readAdminFile(folder)).toEqual(admin)
  expect((await stat(dataPaths(folder).admin)).mode & 0o777).toBe(0o600)

  const next = { ...admin, pid: 4712, token: 'other' }
  await writeAdminFile(folder, next)
  await removeAdminFile(folder, admin)
  expect(await readAdminFile(folder)).toEqual(next)
  await removeAdminFile(folder, next)
  expect(await readAdminFile(folder)).toBeNull()
  await removeAdminFile(folder, next)
})

test.each(['', '{', '{"pid":1}', '{"pid":1,"url":"file:///x","token":"t"}'])('%j is no admin file', async (text) => {
  const folder = await emptyFolder()
  const path = dataPaths(folder).admin
  await mkdir(dirname(path))
  await writeFile(path, text)
  const failure = await failureOf(readAdminFile(folder))
  expect(failure.code).toBe('NODE_NOT_RUNNING')
  expect(failure.hint).toContain(path)
})

test('an atomic write replaces the whole file and leaves nothing beside it', async () => {
  const folder = await emptyFolder()
  const path = join(folder, 'file')
  await writeAtomically(path, 'one', { mode: 0o644 })
  await writeAtomically(path, 'two', { mode: 0o600 })
  expect(await readFile(path, 'utf8')).toBe('two')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await expect(writeAtomically(path, 'three', { mode: 0o600, exclusive: true })).rejects.toMatchObject({
    code: 'EEXIST'
  })
  expect(await readFile(path, 'utf8')).toBe('two')
  expect(await readdir(folder)).toEqual(['file'])
})
