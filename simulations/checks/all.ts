import type { Check } from '../model/simulation.ts'
import { noAcknowledgedEventLost } from './acknowledged.ts'
import { tablesWithinBounds } from './bounded-tables.ts'
import { convergedAfterHeal } from './convergence.ts'
import { projectionsEqualFreshFold } from './fresh-folds.ts'
import { noHonestEquivocation } from './honest-chains.ts'
import { logsIntact } from './intact-logs.ts'
import { nothingForbidden } from './nothing-forbidden.ts'
import { oneVerdictPerEvent } from './one-verdict.ts'

/** What must hold in every run; for one run, because they remember what they have seen. */
export function standardChecks(): readonly Check[] {
  return [
    noAcknowledgedEventLost(),
    logsIntact(),
    projectionsEqualFreshFold(),
    oneVerdictPerEvent(),
    nothingForbidden(),
    noHonestEquivocation(),
    tablesWithinBounds(),
    convergedAfterHeal()
  ]
}
