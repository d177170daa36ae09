import { writeFileSync } from 'node:fs'
import process from 'node:process'

/** Loaded into the process of a run: leaves behind how much memory was resident at the most, in bytes. */
process.on('exit', () => {
  const { ANCHORMESH_BENCH_PEAK: file } = process.env
  if (file !== undefined) writeFileSync(file, String(process.resourceUsage().maxRSS * 1_024))
})
