import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readableJson, writeTexts } from './files.ts'
import { metricsLines, protocolLines } from './metrics-csv.ts'
import type { RunRecord } from './run-record.ts'
import { summarise } from './run-summary.ts'
import type { RunSummary } from './run-summary.ts'
import type { TraceEnd } from './trace-writer.ts'

/** The files of one run, in a folder of its own. */
export const RUN_FILES = {
  trace: 'trace.jsonl.gz',
  metrics: 'metrics.csv',
  protocols: 'protocols.csv',
  summary: 'summary.json'
} as const

/** Writes what came of a run beside its trace, into a folder that is there. Returns what stands in `summary.json`. */
export function writeRunFiles(folder: string, record: RunRecord, trace: TraceEnd): RunSummary {
  const summary = summarise(record, trace)
  writeTexts(join(folder, RUN_FILES.metrics), metricsLines(record))
  writeTexts(join(folder, RUN_FILES.protocols), protocolLines(record))
  writeTexts(join(folder, RUN_FILES.summary), [readableJson(summary)])
  return summary
}

/** What `writeRunFiles` wrote there. */
export function readRunSummary(folder: string): RunSummary {
  return JSON.parse(readFileSync(join(folder, RUN_FILES.summary), 'utf8')) as RunSummary
}
