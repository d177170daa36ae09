import { toBase64url, toHex, utf8 } from '../../protocols/primitives/bytes.ts'

/** What stands where a secret stood. */
const REDACTED = '[redacted]'

/**
 * The tokens of a drill. What targets answer may repeat them, and whatever is written or printed goes through here
 * first.
 */
export class Secrets {
  /** Each secret in the forms in which a server may repeat it; the longest first, as one may be part of another. */
  #forms: readonly string[] = []

  /** Remembers a secret. Empty text is none. */
  add(secret: string): void {
    if (secret === '') return
    const base64 = Buffer.from(secret).toString('base64')
    const forms = [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      base64.replace(/=+$/, ''),
      toBase64url(utf8(secret)),
      toHex(utf8(secret))
    ]
    this.#forms = [...new Set([...this.#forms, ...forms])].toSorted((a, b) => b.length - a.length)
  }

  /** The text with every secret taken out. */
  clean(text: string): string {
    return this.#forms.reduce((cleaned, form) => cleaned.replaceAll(form, REDACTED), text)
  }

  /** Whether a secret stands in the text. */
  areIn(text: string): boolean {
    return this.#forms.some((form) => text.includes(form))
  }
}
