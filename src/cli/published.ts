import type { Published } from '../operations.ts'
import type { Output } from './output.ts'
import { facts } from './table.ts'

/** What a person wants to know of an event that this node has just published, after `about` it. */
export function publishedText(published: Published, about: readonly (readonly [string, string | number])[]): string {
  const { id, logSeq, recipients } = published
  const peers = recipients === 1 ? '1 peer' : `${recipients} peers`
  return facts([...about, ['event', id], ['position in the log', logSeq], ['sent to', peers]])
}

/** Says how an event that no peer got travels: gossip never tells it again, sync does. */
export function noteIfUnsent({ recipients }: Published, output: Pick<Output, 'note'>): void {
  if (recipients > 0) return
  output.note(
    'No peer got it now. Sync brings it to each that connects while this node runs. Where none can: ' +
      '`anchormesh log export` here, `anchormesh log import` there.'
  )
}
