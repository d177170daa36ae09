import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../../src/platform/errors.ts'

const PROJECT = join(import.meta.dirname, '../..')
/** Up to where a package stands, wherever packages are kept. */
const TO_PACKAGES = /(?:file:\/\/)?[^\s()]*\/node_modules\//g

/**
 * What is known of an error, for those who look for its cause: the same on every machine, because it stands in traces,
 * which are compared.
 */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return messageOf(error)
  const lines = error.stack.split('\n').filter((line) => !/^ +at .*\(?node:/.test(line))
  return lines
    .join('\n')
    .replaceAll(TO_PACKAGES, 'node_modules/')
    .replaceAll(`${pathToFileURL(PROJECT).href}/`, '')
    .replaceAll(`${PROJECT}/`, '')
}
