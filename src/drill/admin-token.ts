// A shorter one could be guessed, and taking it out of texts would take them apart.
const TOKEN_CHARS_MIN = 8
// What fits into a header with all else.
const TOKEN_CHARS_MAX = 4_096

/** Whether the text can be an admin token: something that fits into a header, and is not too short to be one. */
export function isAdminToken(text: string): boolean {
  return text.length >= TOKEN_CHARS_MIN && text.length <= TOKEN_CHARS_MAX && /^[\x21-\x7e]+$/.test(text)
}
