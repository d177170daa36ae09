import type { Published } from '../operations.ts'
import { facts } from './table.ts'

/** What a person wants to know of an event that this node has just published, after `about` it. */
export function publishedText(published: Published, about: readonly (readonly [string, string | number])[]): string {
  const { id, logSeq, recipients } = published
  const peers = recipients === 1 ? '1 peer' : `${recipients} peers`
  return facts([...about, ['event', id], ['position in the log', logSeq], ['sent to', peers]])
}
