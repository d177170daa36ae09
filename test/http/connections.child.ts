import { readdirSync } from 'node:fs'
import { newAdminToken, startAdminListener } from '../../src/http/admin-listener.ts'
import { startPublicListener } from '../../src/http/public-listener.ts'
import type { TlsIdentity } from '../../src/http/tls.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { memoryNode } from './support/memory-operations.ts'

// Both listeners in a process of their own, started with --expose-gc: told an identity (or null) it says where they
// are, told anything else what it holds.

declare const gc: () => void

const ports = { operations: memoryNode(), logger: silentLogger, clock: systemClock, listen: '127.0.0.1:0' }

async function serve(identity: TlsIdentity | null): Promise<void> {
  const tls = identity === null ? undefined : { identity, mtls: 'off' as const, didOfPin: () => null }
  const { url } = await startPublicListener({ ...ports, tls })
  const admin = await startAdminListener({ ...ports, token: newAdminToken(systemRandom), shutdown: () => undefined })
  process.send?.({ url, admin: { url: admin.url, token: admin.token } })
}

function measure(): void {
  gc()
  gc()
  process.send?.({ heapBytes: process.memoryUsage().heapUsed, files: readdirSync('/proc/self/fd').length })
}

process.on('message', (told: { readonly identity: TlsIdentity | null } | 'measure') => {
  if (told === 'measure') measure()
  else void serve(told.identity)
})
