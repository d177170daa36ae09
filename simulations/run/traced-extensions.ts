import { AnchormeshError } from '../../src/platform/errors.ts'
import type { ModuleMark } from '../results/run-record.ts'
import { marksOf } from './extensions.ts'

/** The modules for a run that was traced. */
export interface TracedExtensions {
  /** In the order in which the run had them. */
  readonly urls: readonly string[]
  /** Those that have other contents than in the run. */
  readonly changed: readonly { readonly traced: ModuleMark; readonly given: ModuleMark }[]
}

/**
 * Finds the modules of a traced run among those that are given, by their names. Throws `USAGE` where one of them is
 * missing, or was not in the run.
 */
export async function tracedExtensions(
  traced: readonly ModuleMark[],
  urls: readonly string[]
): Promise<TracedExtensions> {
  const marks = await marksOf(urls)
  const left = urls.flatMap((url, index) => marks.slice(index, index + 1).map((mark) => ({ url, mark })))
  const found = traced.map((wanted) => {
    const isSame = left.findIndex(({ mark }) => mark.name === wanted.name && mark.sha256 === wanted.sha256)
    const place = isSame >= 0 ? isSame : left.findIndex(({ mark }) => mark.name === wanted.name)
    return { wanted, given: place < 0 ? undefined : left.splice(place, 1)[0] }
  })
  const missing = found.filter(({ given }) => given === undefined).map(({ wanted }) => wanted)
  if (missing.length > 0) {
    throw new AnchormeshError('USAGE', `the run had modules that are not given: ${missing.map(markText).join(', ')}`, {
      hint: 'Name each by --extension.'
    })
  }
  if (left.length > 0) {
    const names = left.map(({ mark }) => mark.name).join(', ')
    const had = traced.length === 0 ? 'none' : traced.map(markText).join(', ')
    throw new AnchormeshError('USAGE', `the run did not have ${names}`, { hint: `The modules that it had: ${had}.` })
  }
  return {
    urls: found.flatMap(({ given }) => given?.url ?? []),
    changed: found.flatMap(({ wanted, given }) =>
      given === undefined || given.mark.sha256 === wanted.sha256 ? [] : { traced: wanted, given: given.mark }
    )
  }
}

const markText = ({ name, sha256 }: ModuleMark): string => `${name} (SHA-256 ${sha256})`
