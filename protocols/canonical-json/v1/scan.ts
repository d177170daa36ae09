import { shown } from './shape.ts'

/** A rule of I-JSON that a JSON text breaks, and where. */
export interface Violation {
  readonly code: 'DUPLICATE_KEY' | 'NUMBER_NOT_IJSON' | 'LONE_SURROGATE'
  readonly detail: string
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*|[{}]|:/gs

/**
 * The first place, in reading order, where a JSON text is not I-JSON (RFC 7493), or null. `JSON.parse` can't tell:
 * it keeps the last of two members, rounds numbers and lets lone surrogates pass. The text must be well-formed JSON.
 */
export function firstViolation(text: string): Violation | null {
  const keysOfOpenObjects: Set<string>[] = []
  let lastString: { readonly value: string; readonly at: number } | null = null
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0]
    if (token === '{') {
      keysOfOpenObjects.push(new Set())
    } else if (token === '}') {
      keysOfOpenObjects.pop()
    } else if (token === ':') {
      // Outside of strings a colon stands only after a member's name.
      const keys = keysOfOpenObjects.at(-1)
      if (lastString !== null && keys?.has(lastString.value) === true) {
        return { code: 'DUPLICATE_KEY', detail: `a second ${shown(lastString.value)} at character ${lastString.at}` }
      }
      if (lastString !== null) keys?.add(lastString.value)
    } else if (token.startsWith('"')) {
      const value = JSON.parse(token) as string
      if (!value.isWellFormed()) return { code: 'LONE_SURROGATE', detail: `at character ${match.index}` }
      lastString = { value, at: match.index }
    } else if (Math.abs(Number(token)) > Number.MAX_SAFE_INTEGER) {
      return { code: 'NUMBER_NOT_IJSON', detail: `beyond ±(2^53 − 1) at character ${match.index}` }
    }
  }
  return null
}
