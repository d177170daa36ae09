import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/**
 * Runs the benches one after another, each in a process of its own, so that none measures the memory or the compiled
 * code of another. Names on the command line choose among them: `npm run bench -- ingest`. Exits 1 if one broke;
 * figures that fall short are marked in their tables and do not.
 */
const BENCHES: readonly string[] = [
  'ingest',
  'governance',
  'encryption',
  'bulk',
  'pending',
  'sync',
  'startup',
  'http',
  'subscribers',
  'sim',
  'rfc3161'
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !BENCHES.includes(name))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')} (there are: ${BENCHES.join(', ')})`)
  process.exitCode = 2
} else {
  for (const name of wanted.length > 0 ? wanted : BENCHES) {
    const { status, signal } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
      stdio: 'inherit'
    })
    if (status !== 0) {
      console.error(`bench ${name} ended with ${signal ?? `exit code ${String(status)}`}`)
      process.exitCode = 1
    }
  }
}
