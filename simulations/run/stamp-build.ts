import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/platform/package-info.ts'
import { commitIn } from './program-version.ts'

/** The last step of `npm run build`: has `dist` hold the commit that it was built from, in place of `built-from.ts`. */
const path = join(packageRoot, 'dist', 'simulations', 'run', 'built-from.js')
writeFileSync(path, `export const builtFrom = ${JSON.stringify(await commitIn(packageRoot))}\n`)
