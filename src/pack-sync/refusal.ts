import type { PackRefusal } from './transport.ts'

/** How it ends when a source gives nothing. */
export interface RefusalEnd {
  readonly outcome: 'refused' | 'unreachable'
  readonly code: string
  readonly detail: string
}

/** The end that a refusal means: who is busy, or does not answer, may do so when asked again. */
export function endOfRefusal(refusal: PackRefusal): RefusalEnd {
  const { detail } = refusal
  if (refusal.reason === 'refused') {
    const code = refusal.code.toUpperCase().replaceAll('-', '_')
    return { outcome: refusal.code === 'busy' ? 'unreachable' : 'refused', code, detail }
  }
  if (refusal.reason === 'unreachable') return { outcome: 'unreachable', code: 'SOURCE_UNREACHABLE', detail }
  return { outcome: 'refused', code: 'SOURCE_BROKEN', detail }
}
