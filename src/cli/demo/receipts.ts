import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AnchormeshError } from '../../platform/errors.ts'
import { withFile } from '../input.ts'
import { packageRoot } from '../../platform/package-info.ts'
import { readReceipts } from '../receipt-lines.ts'

/** Receipts for the demo to seal: a JSON Lines file, and in words what it holds. */
export interface DemoReceipts {
  readonly file: string
  readonly about: string
}

interface LockFile {
  readonly packages?: Readonly<Record<string, LockedPackage>>
}

interface LockedPackage {
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
}

/**
 * The receipts that the person gave, or else one for every package that the project's lock file pins: name, version
 * and integrity, as an organisation would keep evidence of what its software was built from. They are written to
 * `folder`. Throws `USAGE` where there is no lock file, as in a package that was installed, or no receipt in the file
 * that was given, and `RECEIPTS_INVALID`.
 */
export async function demoReceipts(given: string | null, folder: string): Promise<DemoReceipts> {
  if (given !== null) {
    await checkReceipts(given)
    return { file: given, about: `what ${given} holds` }
  }
  const lockFile = join(packageRoot, 'package-lock.json')
  if (!existsSync(lockFile)) {
    throw new AnchormeshError('USAGE', `the demo’s own receipts are the packages in ${lockFile}, which is not there`, {
      hint: 'Give receipts of yours, one JSON value a line: anchormesh demo --receipts FILE'
    })
  }
  const { packages = {} } = JSON.parse(await readFile(lockFile, 'utf8')) as LockFile
  const receipts = Object.entries(packages)
    .filter(([, { version, integrity }]) => version !== undefined && integrity !== undefined)
    .map(([path, { name, version, integrity }]) => ({ name: name ?? nameOf(path), version, integrity }))
  const file = join(folder, 'receipts.jsonl')
  await writeFile(file, receipts.map((receipt) => `${JSON.stringify(receipt)}\n`).join(''))
  return { file, about: 'every package that its package-lock.json pins: name, version, integrity' }
}

/** Reads them to the end, so that a file with an error in it, or with nothing, stops the demo before it begins. */
async function checkReceipts(file: string): Promise<void> {
  const count = await withFile(file, async (input) => {
    let read = 0
    for await (const _receipt of readReceipts(input, () => {})) read += 1
    return read
  })
  if (count > 0) return
  throw new AnchormeshError('USAGE', `${file} holds no receipts`, {
    hint: 'Give at least one, as JSON, one a line.',
    detail: { file }
  })
}

/** `node_modules/a/node_modules/@b/c` is the package `@b/c`. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
