import { rekeyStores } from '../../src/cli/rekey.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { systemRandom } from '../../src/platform/random.ts'

/** Changes the encryption of a data folder, and kills itself as the given report of progress comes. */
const [folder = '', encrypt = '', killAt = ''] = process.argv.slice(2)
let reports = 0
const done = await rekeyStores({
  folder,
  encrypt: encrypt === 'encrypt',
  passphrases: { current: () => Promise.reject(new Error('it is not sealed')), random: systemRandom },
  clock: systemClock,
  random: systemRandom,
  signal: new AbortController().signal,
  onProgress: () => {
    reports += 1
    if (reports === Number(killAt)) process.kill(process.pid, 'SIGKILL')
  }
})
process.stdout.write(JSON.stringify(done))
