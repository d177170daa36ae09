import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface OpensslRun {
  readonly status: number
  /** Standard output and standard error. */
  readonly text: string
}

export function opensslIsInstalled(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}

/** Runs the `openssl` command in `folder`. */
export function openssl(folder: string, ...args: readonly string[]): Promise<OpensslRun> {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, { cwd: folder }, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, text: stdout + stderr })
      else if (typeof error.code === 'number') resolve({ status: error.code, text: stdout + stderr })
      else reject(new Error('the openssl command did not run', { cause: error }))
    })
  })
}

/** As `openssl`, for what must succeed. */
export async function opensslDone(folder: string, ...args: readonly string[]): Promise<string> {
  const run = await openssl(folder, ...args)
  if (run.status !== 0) throw new Error(`openssl ${args.join(' ')} ended with ${run.status}: ${run.text}`)
  return run.text
}

/** A folder with these files, removed after `use`. */
export async function withFolder<Result>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (folder: string) => Promise<Result>
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'anchormesh-tsa-'))
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
