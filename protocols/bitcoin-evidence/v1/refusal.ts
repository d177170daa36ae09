/** Why evidence is no evidence. What each code stands for is said by the rules of the SPEC. */
export type BitcoinEvidenceCode =
  `BTC_${'MALFORMED' | 'TX_64_BYTES' | 'BRANCH' | 'POW' | 'ROOT_NOT_FOUND'}` | `OTS_${'MALFORMED' | 'ROOT'}`

/** The first rule that was broken: its code, and one sentence for people. */
export interface EvidenceFailure {
  readonly ok: false
  readonly code: BitcoinEvidenceCode
  readonly detail: string
}

/** Thrown and caught in this folder alone, so that reading does not ask after each field whether it went well. */
export class Refusal extends Error {
  readonly code: BitcoinEvidenceCode

  constructor(code: BitcoinEvidenceCode, detail: string) {
    super(detail)
    this.code = code
  }
}

/** What `read` returns, or the failure that it refuses with. */
export function refusable<Reading>(read: () => Reading): Reading | EvidenceFailure {
  try {
    return read()
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, code: error.code, detail: error.message }
    throw error
  }
}
