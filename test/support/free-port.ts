import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the ports that the system gives to whoever lets it choose, so that nobody is given this one meanwhile.
const PORT_MIN = 20_000
const PORT_END = 32_000

/** A port of all addresses that was free a moment ago: one listener for two things can't let the system choose. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_END)
    const server = createServer()
    server.listen(port, '0.0.0.0')
    const isFree = await once(server, 'listening').then(
      () => true,
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
        throw error
      }
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
