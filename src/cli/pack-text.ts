import type { PackChange, PackView } from '../packs/pack-operations.ts'
import { facts, table, time } from './table.ts'

const STATES: Readonly<Record<PackView['state'], string>> = {
  valid: 'valid',
  frozen: 'valid, but the organisation is frozen: two packs stand at one number (anchormesh trust pin)',
  draft: 'a draft',
  refused: 'without effect',
  waiting: 'waits for the pack before it'
}

/** A pack as a person reads it. */
export function packText(view: PackView): string {
  const { orgId, packSeq, hash, state, code, kind, prevPack, threshold, thresholdBefore, validUntil, isStale } = view
  const head = facts([
    ['organisation', orgId],
    ['pack', packSeq],
    ['hash', hash],
    ['state', code === null ? STATES[state] : `${STATES[state]} (${code})`],
    ['kind', kind],
    ['follows', prevPack],
    ['threshold', thresholdText(threshold, thresholdBefore)],
    ['valid until', validUntil === null ? null : `${time(validUntil)}${isStale ? ' (stale)' : ''}`],
    ['root', view.root],
    ['event', view.eventId],
    ['made by', view.signer],
    ['signers', view.signers.map(({ kid, hasSigned }) => (hasSigned ? kid : `${kid} (not yet)`)).join(', ')]
  ])
  return [head, changesText(view.changes), keysText(view)].filter(Boolean).join('\n\n')
}

function thresholdText(threshold: number | null, before: number | null): string | null {
  if (threshold === null || before === null || threshold === before) return threshold?.toString() ?? null
  return `${threshold} (before: ${before})`
}

function changesText(changes: readonly PackChange[]): string {
  if (changes.length === 0) return 'It changes no key.'
  const lines = changes.map(({ kid, before, after, members }) => {
    if (before === null) return `  + ${kid}  new, ${after}`
    return `  ${after === 'REVOKED' ? '-' : '~'} ${kid}  ${before === after ? after : `${before} → ${after}`}  (${members.join(', ')})`
  })
  return ['What it changes:', ...lines].join('\n')
}

function keysText({ keys }: PackView): string {
  if (keys.length === 0) return ''
  return table(
    [
      { heading: 'KID', cell: ({ kid }) => kid },
      { heading: 'STATUS', cell: ({ status }) => status },
      { heading: 'USES', cell: ({ uses }) => uses.join(',') },
      { heading: 'SINCE', cell: ({ notBefore }) => time(notBefore) },
      { heading: 'UNTIL', cell: ({ notAfter }) => time(notAfter) },
      { heading: 'LAST GOOD', cell: ({ status, lastGood }) => (status === 'ACTIVE' ? '' : (lastGood ?? []).length) },
      { heading: 'REASON', cell: ({ reason }) => reason }
    ],
    keys
  )
}
