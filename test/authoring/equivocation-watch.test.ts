import { expect, test } from 'vitest'
import type { MemoryNode } from '../node/nodes.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import type { TestMember } from '../support/identities.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

const self = member('self')
const other = member('other')
const third = member('third')

/** The node takes in two events that `signer` made at the first position of its chain. */
async function fork({ node }: MemoryNode, signer: TestMember): Promise<void> {
  for (const batchId of ['batch-1', 'batch-2']) {
    const { wire } = await next(signer, null, announceBody(batchId))
    expect(await node.submit(wire)).toMatchObject({ outcome: 'accepted' })
  }
}

const warned = (lines: readonly LogLine[]): string[] =>
  lines.filter(({ level }) => level === 'warn').map(({ message }) => message)

test('equivocations of others are a warning in the status and, once, in the log, and no fault', async () => {
  const lines: LogLine[] = []
  const opened = await openNode(self, [self, other, third], { logger: recordingLogger(lines) })
  await opened.node.start()
  expect((await opened.node.status()).warnings).toEqual([])
  for (const signer of [other, third]) {
    await fork(opened, signer)
    await quiet(opened)
    await opened.ports.clock.advance(10_000)
  }
  const { warnings, health } = await opened.node.status()
  expect(warnings).toEqual([expect.stringContaining(`a member of ${NAMESPACE} signed two events at one position`)])
  expect(health).toEqual({ ok: true, reasons: [] })
  await quiet(opened)
  expect(warned(lines)).toEqual(warnings)
  await opened.node.close()
})

test('that it is this node’s own key is said plainly, whoever else did it, and at the next start again', async () => {
  const opened = await openNode(self, [self, other])
  await fork(opened, other)
  await fork(opened, self)
  await quiet(opened)
  const { warnings } = await opened.node.status()
  expect(warnings).toEqual([expect.stringContaining(`THIS node's key signed two events at position 1 of ${NAMESPACE}`)])
  expect(warnings[0]).toContain(`anchormesh query equivocations --namespace ${NAMESPACE}`)

  await opened.node.close()
  await opened.ports.store.reopen()
  await opened.ports.blobs.reopen()
  const lines: LogLine[] = []
  const again = await openNode(self, [], { policy: opened.policy, ports: opened.ports, logger: recordingLogger(lines) })
  await again.node.start()
  await again.ports.clock.advance(10_000)
  await quiet(again)
  expect(warned(lines)).toEqual(warnings)
  await again.node.close()
})
