import { URL_CHARS_MAX } from '../../protocols/drill-report/v1/report-shape.ts'
import { isLoopback } from '../policy/listen-address.ts'

export type AddressReading = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly detail: string }

/**
 * Reads the address of a listener. Tokens and evidence never travel in clear, so other machines are reached by `https:`
 * only. What is wrong is said without the address itself, which may hold a password.
 */
export function readAddress(text: string): AddressReading {
  if (!URL.canParse(text)) return { ok: false, detail: 'is no URL such as https://node.example:8088' }
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { ok: false, detail: 'is no http: or https: URL' }
  if (text.includes('@')) return { ok: false, detail: 'holds a user or password' }
  if (text.length > URL_CHARS_MAX) return { ok: false, detail: 'is too long' }
  if (/[?#]/.test(text)) return { ok: false, detail: 'holds a query or fragment' }
  if (url.protocol === 'http:' && !isLoopbackName(url.hostname))
    return { ok: false, detail: 'is on another machine, where the token would travel in clear: take https:' }
  return { ok: true, url }
}

function isLoopbackName(hostname: string): boolean {
  return isLoopback(hostname.replace(/^\[|\]$/g, ''))
}
