import { join } from 'node:path'
import { detailOf } from '../model/defect-detail.ts'
import { openSyncFile } from '../results/files.ts'
import type { RunAbout } from '../results/run-record.ts'
import { RUN_FILES, writeRunFiles } from '../results/run-files.ts'
import { summarise } from '../results/run-summary.ts'
import { TraceWriter } from '../results/trace-writer.ts'
import { extensionAt, marksOf } from './extensions.ts'
import { scenarioSchema } from '../scenario/schema.ts'
import { writtenScenario } from '../scenario/written.ts'
import { world } from '../world/world.ts'
import { assembleRun } from './assemble.ts'
import { receiveJob } from './jobs.ts'
import type { RunJob } from './jobs.ts'
import { tellParent } from './messages.ts'
import { programVersion } from './program-version.ts'
import { runScenario } from './run.ts'

/**
 * The main program of the process of one run: `node --import <world/install.ts> <this file>`, started with an IPC
 * channel, over which the job comes.
 */
try {
  await runJob(await receiveJob())
} catch (error) {
  await tellParent({ kind: 'broken', detail: detailOf(error) })
}
process.exit()

async function runJob(job: RunJob): Promise<void> {
  const { seed, files, outDir, traceFrames } = job
  const scenario = scenarioSchema.parse(job.scenario)
  const about: RunAbout = {
    scenario: writtenScenario(scenario),
    files,
    seed,
    extensions: await marksOf(job.extensions),
    traceFrames,
    nodeVersion: process.version,
    ...(await programVersion())
  }
  const extensions = await Promise.all(job.extensions.map(extensionAt))
  const file = outDir === null ? null : openSyncFile(join(outDir, RUN_FILES.trace))
  const trace = new TraceWriter({
    time: world.time,
    frames: traceFrames,
    ...(file === null ? {} : { write: (bytes) => file.write(bytes) })
  })
  const parts = await assembleRun({
    scenario,
    about,
    extensions,
    trace,
    onProgress: (virtualMs, ofMs) => void tellParent({ kind: 'progress', virtualMs, ofMs })
  })
  const record = await runScenario(parts)
  const end = trace.finish()
  file?.close()
  const summary = outDir === null ? summarise(record, end) : writeRunFiles(outDir, record, end)
  await tellParent({ kind: 'done', traceHash: end.hash, failures: parts.run.failures, summary })
}
