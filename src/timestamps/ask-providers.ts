import type { ProviderAnswer, ProviderFailure } from './provider.ts'
import type { VerifierResult } from './verifier.ts'

/** What those who were asked said. */
export interface Asked<Value> {
  readonly answers: readonly { readonly provider: string; readonly value: Value }[]
  readonly failures: readonly ProviderFailure[]
}

/** Asks all providers at the same time. Rejects only when one that was asked does, as on abort. */
export async function askProviders<Provider extends { readonly name: string }, Value>(
  providers: readonly Provider[],
  ask: (provider: Provider) => Promise<ProviderAnswer<Value>>
): Promise<Asked<Value>> {
  const all = await Promise.all(
    providers.map(async (provider) => ({ provider: provider.name, answer: await ask(provider) }))
  )
  return {
    answers: all.flatMap(({ provider, answer }) => (answer.ok ? [{ provider, value: answer.value }] : [])),
    failures: all.flatMap(({ answer }) => (answer.ok ? [] : [answer]))
  }
}

/** The result where fewer answered than policy asks for: the first failure's code, and the shortest wait. */
export function tooFewAnswers({ failures }: Asked<unknown>): VerifierResult {
  const [first] = failures
  const retryAfterMs = failures.length === 0 ? 0 : Math.min(...failures.map((failure) => failure.retryAfterMs))
  return { outcome: 'unreachable', code: first?.code ?? 'PROVIDER_UNREACHABLE', retryAfterMs }
}
