import type { JsonValue } from '../../../protocols/canonical-json/v1/json.ts'

// What is read of answers lies 6 deep. Half a million lists one inside of the other take the parser as long as a second.
const DEPTH_MAX = 64
// The largest answer full of logs has 30,000 lists and objects, one full of an access list 120,000. Empty ones by the million
// block as long.
const CONTAINERS_MAX = 131_072

/** The JSON of a provider's answer; undefined for what is none, is no UTF-8, or is nested or cut up beyond all reason. */
export function jsonOfAnswer(body: Uint8Array): JsonValue | undefined {
  if (isBeyondReason(body)) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as JsonValue
  } catch (error) {
    // Anything but UTF-8 is a TypeError.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/** In UTF-8 no part of another character looks like one of those that count. */
function isBeyondReason(body: Uint8Array): boolean {
  let depth = 0
  let containers = 0
  let inText = false
  for (let at = 0; at < body.length; at += 1) {
    const octet = body[at]
    if (inText) {
      if (octet === BACKSLASH) at += 1
      else if (octet === QUOTE) inText = false
    } else if (octet === QUOTE) inText = true
    else if (octet === 0x5b || octet === 0x7b) {
      depth += 1
      containers += 1
      if (depth > DEPTH_MAX || containers > CONTAINERS_MAX) return true
    } else if (octet === 0x5d || octet === 0x7d) depth -= 1
  }
  return false
}
