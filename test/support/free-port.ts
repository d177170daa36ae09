import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** A port of all addresses that was free a moment ago: one listener for two things can't let the system choose. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
