import type { InvalidCode } from '../verifier.ts'

/** The codes of SPEC tsa-evidence/v1. */
export type TsaInvalidCode = Extract<InvalidCode, `TSA_${string}`>

/** Why a token proves nothing. */
export interface TokenRefusal {
  readonly ok: false
  readonly code: TsaInvalidCode
  /** In one line, for people. */
  readonly detail: string
}

export function refusal(code: TsaInvalidCode, detail: string): TokenRefusal {
  return { ok: false, code, detail }
}
