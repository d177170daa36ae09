import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { auditVectors } from './vectors/audit.ts'
import { batchVectors } from './vectors/batch.ts'
import { bitcoinEvidenceVectors } from './vectors/bitcoin-evidence.ts'
import { bitcoinHeadersVectors } from './vectors/bitcoin-headers.ts'
import { bundleVectors } from './vectors/bundle.ts'
import { canonicalJsonVectors } from './vectors/canonical-json.ts'
import { checkpointVectors } from './vectors/checkpoint.ts'
import { deliveryVectors } from './vectors/delivery.ts'
import { drillReportVectors } from './vectors/drill-report.ts'
import { eventVectors } from './vectors/event.ts'
import { evmEvidenceVectors } from './vectors/evm-evidence.ts'
import { feedbackVectors } from './vectors/feedback.ts'
import { keystoreVectors } from './vectors/keystore.ts'
import { negentropyVectors } from './vectors/negentropy.ts'
import { packSyncVectors } from './vectors/pack-sync.ts'
import { proofVectors } from './vectors/proof.ts'
import { rangeSyncVectors } from './vectors/range-sync.ts'
import { signatureVectors } from './vectors/signature.ts'
import { signerVectors } from './vectors/signer.ts'
import { subscriptionVectors } from './vectors/subscription.ts'
import { telemetryVectors } from './vectors/telemetry.ts'
import { tsaEvidenceVectors } from './vectors/tsa-evidence.ts'
import { textOf } from './vectors/vector-file.ts'
import type { VectorFile } from './vectors/vector-file.ts'
import { winnerVectors } from './vectors/winner.ts'

/** The folder that the paths of vector files start from. */
export const PROTOCOLS = join(import.meta.dirname, '..', '..', 'protocols')

/** Every file of vectors, the same bytes each time. */
export async function allVectors(): Promise<readonly VectorFile[]> {
  return [
    ...canonicalJsonVectors(),
    ...signatureVectors(),
    ...batchVectors(),
    ...eventVectors(),
    ...checkpointVectors(),
    ...negentropyVectors(),
    ...(await rangeSyncVectors()),
    ...bundleVectors(),
    ...packSyncVectors(),
    ...proofVectors(),
    ...evmEvidenceVectors(),
    ...bitcoinEvidenceVectors(),
    ...bitcoinHeadersVectors(),
    ...tsaEvidenceVectors(),
    ...winnerVectors(),
    ...auditVectors(),
    ...keystoreVectors(),
    ...signerVectors(),
    ...subscriptionVectors(),
    ...telemetryVectors(),
    ...feedbackVectors(),
    ...deliveryVectors(),
    ...drillReportVectors()
  ]
}

// `node test/protocols/make-vectors.ts` writes them; a test holds that nothing differs.
if (process.argv[1] === import.meta.filename) {
  for (const file of await allVectors()) {
    const path = join(PROTOCOLS, file.path)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, textOf(file))
  }
}
