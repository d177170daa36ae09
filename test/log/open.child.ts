import { openLevelStore } from '../../src/log/level-store.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'

/** Tries to open the store of its argument, and prints the code of the failure. */
try {
  await openLevelStore(process.argv[2] ?? '', { create: false })
  console.log('opened')
} catch (error) {
  if (!(error instanceof AnchormeshError)) throw error
  console.log(error.code)
}
